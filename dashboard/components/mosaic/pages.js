// The queue in pages. The server ranks; as of the moment when the list was opened, so that no page moves while one grades.

import { getJson } from "../stage/api.js";

export class Pages {
  /** `pending()`: ids of objects with a decision on its way. `onGoTo(entry)`: undo went there. */
  constructor({ pending, onGoTo }) {
    Object.assign(this, { pending, onGoTo });
    this.settings = { order: null, model: null, show: "todo", filter: "", selection: "" };
    this.progress = { total: 0, scored: 0, graded: 0, skipped: 0 };
    this.entries = new Map(); // one for each object, whatever page it is on
    this.size = 100;
    this.current = { offset: 0, entries: [] };
    this.matching = 0;
    this.version = null;
    this.forget();
  }

  /** Pages as they were are not asked for again; those of another list are. */
  forget() {
    this.known = new Map();
  }

  get count() {
    return Math.max(1, Math.ceil(this.matching / this.size));
  }

  get number() {
    return Math.floor(this.current.offset / this.size) + 1;
  }

  offsetOf(number) {
    return (Math.min(Math.max(number, 1), this.count) - 1) * this.size;
  }

  /** The page at this place, or the one that holds an object; asked for once. */
  async load({ offset = 0, holding = null, anew = false }) {
    const held = holding === null && !anew ? this.known.get(offset) : null;
    if (held) return held;
    const asked = this.ask({ offset, holding });
    if (holding === null) this.known.set(offset, asked);
    try {
      const page = await asked;
      this.known.set(page.offset, Promise.resolve(page));
      return page;
    } catch (error) {
      this.known.delete(offset);
      throw error;
    }
  }

  async ask({ offset, holding }) {
    const [since, waiting] = [performance.now(), this.pending()];
    const { settings, size, asOf } = this;
    const page = await getJson("queue", { ...settings, offset, holding, limit: size, as_of: asOf, with_votes: true });
    Object.assign(this.settings, { order: page.order, model: page.model });
    this.matching = page.matching;
    this.version = page.version;
    this.tally(page);
    const still = this.pending();
    // The answer may be older than what was decided here.
    const isNewer = ({ object_id: id }) => waiting.has(id) || still.has(id) || this.entries.get(id)?.decidedAt > since;
    return { offset: page.offset, entries: page.items.map((item) => this.entryOf(item, isNewer(item))) };
  }

  entryOf(item, isNewer) {
    const entry = this.entries.get(item.object_id) ?? { object_id: item.object_id };
    this.entries.set(item.object_id, entry);
    Object.assign(entry, { planes_hash: item.planes_hash, rank: item.rank, wasShown: item.was_shown });
    if (isNewer) return entry;
    // The page does not tell a skip from no decision; what was skipped here is known.
    const decision = item.grade ?? (entry.decision === null ? null : undefined);
    if (item.vote) Object.assign(entry, { voteId: item.vote.vote_id, said: item.vote });
    else if (decision === undefined) Object.assign(entry, { voteId: undefined, said: undefined });
    return Object.assign(entry, { decision });
  }

  /** Take over the server's counts. */
  tally({ total, scored, graded, skipped, matching }) {
    Object.assign(this.progress, { total, scored, graded, skipped, matching });
  }

  // What `Grading` asks of a queue

  restore(entries) {
    this.entries = new Map(entries.map((entry) => [entry.object_id, entry]));
    this.forget();
  }

  advance() {}

  goTo(entry) {
    this.onGoTo(entry);
  }
}
