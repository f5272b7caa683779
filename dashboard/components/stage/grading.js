// The inspector's decisions: made, sent, taken back, restored after a reload.

import { getJson, postJson } from "./api.js";
import { Outbox } from "./outbox.js";
import { Drafts, Stopwatch, draftOf, voteOf } from "./votes.js";

const HISTORY = 50;

export class Grading {
  /**
   * `seen(entry)` tells what the vote must say of the page: {phase, model}. `say(words)` shows a notice. `stopwatch` takes the
   * time of a decision; `history`: how many earlier votes can be taken back.
   */
  constructor({ campaign, queue, candidates, seen, say, onOutbox, onStored, stopwatch = new Stopwatch(), history = HISTORY }) {
    Object.assign(this, { campaign, queue, candidates, seen, say, onStored, stopwatch, history });
    const scope = [campaign.id, campaign.inspector].map(encodeURIComponent).join(":");
    const meant = new URLSearchParams({ campaign: campaign.id, inspector: campaign.inspector });
    this.refusedPrefix = `lensvet:refused:${scope}:`;
    this.sessionId = campaign.session?.id ?? crypto.randomUUID?.() ?? String(Math.random());
    this.drafts = new Drafts(scope);
    this.decisions = []; // what `undo` takes back: {entry, vote, before}
    this.gradedHere = 0;
    this.startedAt = Date.now();
    this.outbox = new Outbox({
      scope,
      post: (vote) => postJson(`votes?${meant}`, vote),
      postMany: async (votes) => {
        const { status, body } = await postJson(`votes/batch?${meant}`, votes);
        if (status === 200) return body.answers;
        // Refused as a whole, as when it is too long: the votes go one by one.
        return [[400, 413, 422].includes(status) ? await postJson(`votes?${meant}`, votes[0]) : { status: status === 421 ? 421 : 503, body }];
      },
      onChange: onOutbox,
      onStored: (vote) => this.stored(vote),
      onRefused: (vote, reason) => this.refused(vote, reason),
      onMisdirected: (reason) => say(reason),
    });
  }

  destroy() {
    this.outbox.destroy();
    this.stopwatch.destroy();
  }

  /** What was decided before, so that back, undo and the strip go on after a reload. */
  async restoreHistory() {
    const { votes } = await getJson("votes", { limit: this.history, session_id: this.campaign.session?.id });
    this.decisions = [];
    const known = new Set(votes.map(({ vote_id: id }) => id));
    const waiting = this.outbox.waiting().map(({ vote }) => vote).filter(({ vote_id: id }) => !known.has(id));
    const entries = new Map();
    for (const vote of [...votes.reverse(), ...waiting]) {
      const entry = entries.get(vote.object_id) ?? { object_id: vote.object_id, planes_hash: vote.planes_hash };
      this.replay(entry, vote);
      entries.delete(vote.object_id);
      entries.set(vote.object_id, entry);
    }
    this.queue.restore([...entries.values()].filter(({ decision }) => decision !== undefined));
  }

  replay(entry, vote) {
    if (vote.grade !== null || !vote.supersedes) {
      this.remember(entry, vote);
      return;
    }
    const undone = this.decisions.findIndex((decision) => decision.vote.vote_id === vote.supersedes);
    if (undone >= 0) Object.assign(entry, this.decisions.splice(undone, 1)[0].before);
  }

  remember(entry, vote) {
    const { decision, voteId, said } = entry;
    this.decisions.push({ entry, vote, before: { decision, voteId, said } });
    Object.assign(entry, { decision: vote.grade, voteId: vote.vote_id, said: vote });
  }

  /** What the form of an entry holds: what is being said now, else what the vote that stands said. */
  draft(entry, standing) {
    if (!entry) return draftOf({});
    const said = entry.decision === undefined ? null : standing ?? entry.said;
    return this.drafts.kept(entry.object_id) ?? draftOf(said ?? {});
  }

  /** A grade, or null for a skip, on the entry whose picture is on screen; `standing` is the vote that it revises. */
  decide(entry, grade, standing) {
    const vote = this.vote(entry, grade, this.draft(entry, standing), entry.voteId ?? standing?.vote_id ?? null);
    if (entry.decision === undefined) this.count(grade, 1);
    this.gradedHere += grade === null ? 0 : 1;
    this.remember(entry, vote);
    this.outbox.add(vote);
    this.drafts.drop(entry.object_id);
    this.stopwatch.restart(entry.object_id);
    this.candidates.forgetDetails(entry.object_id);
    this.queue.advance();
  }

  /** Take the last decision back, wherever one is, and go there with what had been said. */
  undo() {
    const last = this.decisions.pop();
    if (!last) return this.say("Nothing to undo.");
    const { entry, vote, before } = last;
    this.outbox.add({ ...this.vote(entry, null, draftOf({}), vote.vote_id), phase: vote.phase });
    if (before.decision === undefined) this.count(vote.grade, -1);
    Object.assign(entry, before);
    this.candidates.forgetDetails(entry.object_id);
    this.drafts.keep(entry.object_id, draftOf(vote));
    this.queue.goTo(entry);
  }

  vote(entry, grade, draft, supersedes) {
    const { phase, model } = this.seen(entry);
    return voteOf({
      objectId: entry.object_id, grade, draft, supersedes, phase, sessionId: this.sessionId,
      planesHash: this.candidates.planesReady(entry.object_id)?.planes_hash ?? entry.planes_hash,
      modelVersion: model?.version ?? null, elapsedMs: this.stopwatch.elapsed(entry.object_id),
    });
  }

  count(grade, step) {
    this.queue.progress[grade === null ? "skipped" : "graded"] += step;
  }

  /** Grades an hour since the page was opened; 0 before there are enough to say. */
  rate() {
    const hours = (Date.now() - this.startedAt) / 3.6e6;
    return this.gradedHere >= 5 ? Math.round(this.gradedHere / hours) : 0;
  }

  stored(vote) {
    this.candidates.forgetDetails(vote.object_id);
    this.onStored(vote);
  }

  refused(vote, reason) {
    // Kept, so that a comment is never lost with the vote it came with.
    this.takeBack(vote);
    localStorage.setItem(this.refusedPrefix + vote.vote_id, JSON.stringify({ vote, reason }));
    this.say(`The vote ${vote.grade ?? ""} on ${vote.object_id.slice(0, 60)} was refused: ${reason}`);
  }

  /** A refused vote decided nothing: the candidate is as it was before, and what was said is in its form again. */
  takeBack(vote) {
    const index = this.decisions.findIndex((decision) => decision.vote.vote_id === vote.vote_id);
    if (index < 0) return;
    const [{ entry, before }] = this.decisions.splice(index, 1);
    if (before.decision === undefined) this.count(vote.grade, -1);
    Object.assign(entry, before);
    this.candidates.forgetDetails(entry.object_id);
    this.drafts.keep(entry.object_id, draftOf(vote));
  }

  /** Votes that the server did not take, with its reasons. */
  refusals() {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.refusedPrefix));
    return keys.map((key) => JSON.parse(localStorage.getItem(key)));
  }

  forgetRefusals() {
    Object.keys(localStorage).filter((key) => key.startsWith(this.refusedPrefix)).forEach((key) => localStorage.removeItem(key));
  }
}
