// What the inspector is saying: drafts by object, votes made of them, marks set by pointer or by keys.

const EMPTY = { contaminant: null, flag: null, tags: [], comment: "", marks: [] };

/** Drafts survive a reload; a draft goes when its vote is stored away in the outbox. */
export class Drafts {
  constructor(scope) {
    this.prefix = `lensvet:draft:${scope}:`;
  }

  /** The draft of an object, null if nothing was begun. */
  kept(objectId) {
    const kept = sessionStorage.getItem(this.prefix + objectId);
    return kept && { ...EMPTY, ...JSON.parse(kept) };
  }

  keep(objectId, draft) {
    try {
      sessionStorage.setItem(this.prefix + objectId, JSON.stringify(draft));
    } catch {
      // The browser's storage is full: the vote still goes out, only what is half said would not survive a reload.
    }
  }

  drop(objectId) {
    sessionStorage.removeItem(this.prefix + objectId);
  }
}

/** The draft that a stored vote would have come from, for a revision. */
export function draftOf(vote) {
  return {
    ...EMPTY, contaminant: vote.contaminant ?? null, flag: vote.flag ?? null, tags: vote.tags ?? [],
    comment: vote.comment ?? "", marks: vote.marks ?? [],
  };
}

/** Choose a term: of a single choice again is none, of several each stands for itself. */
export function chosen(draft, group, id) {
  if (group === "tag") {
    return { tags: draft.tags.includes(id) ? draft.tags.filter((tag) => tag !== id) : [...draft.tags, id] };
  }
  return { [group]: draft[group] === id ? null : id };
}

export function voteOf({ objectId, grade, draft, phase, elapsedMs, planesHash, modelVersion, supersedes, sessionId }) {
  return {
    vote_id: crypto.randomUUID?.() ?? uuid(), object_id: objectId, session_id: sessionId, phase, grade,
    contaminant: draft.contaminant, tags: draft.tags, marks: draft.marks, flag: draft.flag, comment: draft.comment,
    elapsed_ms: Math.round(elapsedMs), planes_hash: planesHash, model_version: modelVersion, supersedes,
  };
}

/** Random UUID where `crypto.randomUUID` is missing: pages that are not on loopback or HTTPS. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Time that an object was in view, without the time that the page was hidden. */
export class Stopwatch {
  constructor() {
    this.spent = new Map();
    this.objectId = null;
    this.onVisibility = () => (document.hidden ? this.pause() : this.resume());
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  start(objectId) {
    this.pause();
    this.objectId = objectId;
    this.resume();
  }

  pause() {
    if (this.objectId !== null && this.since != null) {
      this.spent.set(this.objectId, this.elapsed(this.objectId));
    }
    this.since = null;
  }

  resume() {
    if (this.since == null) this.since = performance.now();
  }

  elapsed(objectId) {
    const running = objectId === this.objectId && this.since != null ? performance.now() - this.since : 0;
    return (this.spent.get(objectId) ?? 0) + running;
  }

  /** A decision was made: the next one on this object counts from here. */
  restart(objectId) {
    this.spent.delete(objectId);
    if (objectId === this.objectId) this.since = performance.now();
  }

  destroy() {
    document.removeEventListener("visibilitychange", this.onVisibility);
  }
}
