// Votes on their way: kept in the browser until the server has them, sent in order, sent again after a break.

const RETRY_FIRST_MS = 400;
const RETRY_LONGEST_MS = 5000;
const AT_ONCE = 50;

export class Outbox {
  /**
   * `scope` keeps campaigns apart. `post(vote)` sends one; it must resolve to {status, body}. `postMany(votes)` sends
   * several at once; it resolves to the same of each, or of the first ones.
   * `onChange({unacked, offline})`, `onStored(vote, body)`, `onRefused(vote, reason)` report;
   * `onMisdirected(reason)` when another campaign or inspector would get the votes, which stay here.
   */
  constructor({ scope, post, postMany, onChange, onStored, onRefused, onMisdirected }) {
    this.prefix = `lensvet:vote:${scope}:`;
    Object.assign(this, { post, postMany, onChange, onStored, onRefused, onMisdirected });
    this.offline = false;
    this.wait = RETRY_FIRST_MS;
    this.sending = false;
    this.sequence = Date.now();
    this.unkept = new Map(); // votes that the browser's storage had no room for: sent all the same, lost with the page
  }

  /** Votes not yet acknowledged, oldest first. */
  waiting() {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
    const kept = keys.map((key) => JSON.parse(localStorage.getItem(key)));
    return [...kept, ...this.unkept.values()].sort((a, b) => a.sequence - b.sequence);
  }

  get unacked() {
    return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)).length + this.unkept.size;
  }

  add(vote) {
    this.sequence = Math.max(this.sequence + 1, Date.now());
    const entry = { sequence: this.sequence, vote };
    try {
      localStorage.setItem(this.prefix + vote.vote_id, JSON.stringify(entry));
    } catch {
      this.unkept.set(vote.vote_id, entry);
    }
    this.report();
    this.flush();
  }

  report() {
    this.onChange({ unacked: this.unacked, offline: this.offline });
  }

  async flush() {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    try {
      for (let votes; (votes = this.waiting().slice(0, AT_ONCE).map(({ vote }) => vote)).length; ) await this.send(votes);
      this.offline = false;
      this.wait = RETRY_FIRST_MS;
    } catch {
      this.offline = true;
      this.timer = setTimeout(() => this.flush(), this.wait);
      this.wait = Math.min(2 * this.wait, RETRY_LONGEST_MS);
    } finally {
      this.sending = false;
      this.report();
    }
  }

  /** Throws if the server is away or fails, so that the votes stay here. */
  async send(votes) {
    if (votes.length === 1) return this.settle(votes[0], await this.post(votes[0]));
    const answers = await this.postMany(votes);
    answers.forEach((answer, index) => this.settle(votes[index], answer));
    return undefined;
  }

  /** Throws if the server did not take the vote, which stays here. A refusal is final and is shown. */
  settle(vote, { status, body }) {
    if (status === 421) this.onMisdirected(body?.detail ?? "the server is not the one that this page was opened on");
    const refused = [400, 403, 404, 409, 413, 422].includes(status);
    if (!refused && status !== 200 && status !== 201) throw new Error(`the server answered ${status}`);
    localStorage.removeItem(this.prefix + vote.vote_id);
    this.unkept.delete(vote.vote_id);
    this.offline = false;
    this.wait = RETRY_FIRST_MS;
    if (refused) this.onRefused(vote, body?.detail ?? `the server answered ${status}`);
    else this.onStored(vote, body);
    this.report();
  }

  destroy() {
    clearTimeout(this.timer);
  }
}
