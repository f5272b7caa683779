// Where the inspector stands: what was visited, what comes. The server ranks; this list never reorders the past.

const PAGE = 40;
const LONGEST_PAGE = 500;
const REFILL_BELOW = 16;

export class Queue {
  /**
   * `fetchPage(parameters)` asks the API for a page of candidates; `onChange()` is called when something moved;
   * `isSettled()` tells whether the server knows all decisions, so that its counts are the true ones.
   */
  constructor({ fetchPage, onChange, isSettled }) {
    Object.assign(this, { fetchPage, onChange, isSettled });
    this.settings = { order: null, model: null, show: "todo", filter: "", selection: "" };
    this.visited = [];
    this.at = -1;
    this.upcoming = [];
    this.progress = { total: 0, scored: 0, graded: 0, skipped: 0, matching: 0 };
    this.version = null;
    this.exhausted = false;
    this.isHeld = false; // an address names an object: nothing is taken before it
    this.isPinned = () => false; // somebody presents: a grade does not move on
    this.from = 0; // before this place in the server's list nothing new is expected
  }

  get current() {
    return this.visited[this.at] ?? null;
  }

  /** Entries to come, without moving: the rest of the visited ones first. */
  ahead(count) {
    return [...this.visited.slice(this.at + 1), ...this.upcoming].slice(0, count);
  }

  behind(count) {
    return this.visited.slice(Math.max(0, this.at - count), Math.max(0, this.at));
  }

  /** History from an earlier visit: oldest first. */
  restore(entries) {
    this.visited = entries;
    this.at = entries.length;
  }

  /** A page of candidates from elsewhere, with one of them the current one: walking goes through these first. */
  lookAmong({ entries, at }) {
    const ids = new Set(entries.map(({ object_id }) => object_id));
    this.upcoming = this.upcoming.filter(({ object_id }) => !ids.has(object_id));
    this.visited = entries;
    this.at = at;
    this.moved();
  }

  async start(settings) {
    const { visited, at } = this;
    const before = { ...this.settings };
    Object.assign(this.settings, settings);
    this.upcoming = [];
    this.exhausted = false;
    if (settings.show || "filter" in settings) this.restore([]); // another list: what was visited in the old one is not in its way
    try {
      await this.refill(true);
    } catch (error) {
      Object.assign(this, { visited, at });
      Object.assign(this.settings, before);
      this.refill(true).catch(() => {}); // away: the page's poll asks again
      throw error;
    }
    if (settings.order && this.takeNext()) this.moved();
  }

  /** One step on, through what was visited, then to the next candidate. Returns whether it moved. */
  forward() {
    if (this.at < this.visited.length - 1) this.at += 1;
    else if (!this.takeNext()) return false;
    this.moved();
    return true;
  }

  back() {
    if (this.at <= 0) return false;
    this.at -= 1;
    this.moved();
    return true;
  }

  /** To the next candidate that has no decision yet. */
  advance() {
    if (this.isPinned()) return this.onChange();
    const undecided = this.visited.findIndex((entry, index) => index > this.at && entry.decision === undefined);
    if (undecided >= 0) this.at = undecided;
    else if (!this.takeNext()) this.at = this.visited.length;
    this.moved();
  }

  /** To this object, wherever it stands; it becomes the next visited one if it was not. */
  goTo(entry) {
    const index = this.visited.findIndex(({ object_id }) => object_id === entry.object_id);
    if (index >= 0) {
      this.at = index;
    } else {
      this.upcoming = this.upcoming.filter(({ object_id }) => object_id !== entry.object_id);
      this.at = Math.min(this.at + 1, this.visited.length);
      this.visited.splice(this.at, 0, entry);
    }
    this.moved();
  }

  /** Go on with what comes, if nothing else was gone to meanwhile. */
  release() {
    this.isHeld = false;
    if (!this.current && this.takeNext()) this.moved();
  }

  takeNext() {
    const next = this.upcoming.shift();
    if (!next) return false;
    this.visited.push(next);
    this.at = this.visited.length - 1;
    return true;
  }

  moved() {
    this.onChange();
    if (this.upcoming.length < REFILL_BELOW) this.refill().catch(() => {}); // away: the page's poll asks again
  }

  /** Ask for what comes next; with `anew` the future is replaced, as when scores arrived. */
  async refill(anew = false) {
    if (this.refilling || (this.exhausted && !anew)) return;
    this.refilling = true;
    try {
      const { page, fresh } = await this.nextPage(anew);
      this.upcoming = fresh.map((item) => ({ ...item, decision: item.grade ?? undefined }));
      this.exhausted = fresh.length === 0;
      this.version = page.version;
      this.count(page);
      Object.assign(this.settings, { order: page.order, model: page.model });
    } finally {
      this.refilling = false;
    }
    if (!this.current && !this.isHeld && this.takeNext()) this.at = this.visited.length - 1;
    this.onChange();
  }

  /**
   * The first page with candidates that were not visited. What was visited may stand before them in the server's
   * list (walked past, or in a list of graded ones), and votes on the way shorten it: so a page back, then onward.
   */
  async nextPage(anew) {
    let offset = anew ? 0 : Math.max(0, this.from - LONGEST_PAGE);
    let limit = PAGE;
    for (;;) {
      const page = await this.fetchPage({ ...this.settings, offset, limit });
      // After the answer: what was visited while it was on its way must not come again.
      const seen = new Set(this.visited.map(({ object_id }) => object_id));
      const fresh = page.items.filter(({ object_id }) => !seen.has(object_id));
      if (fresh.length >= REFILL_BELOW || offset + limit >= page.matching) {
        this.from = offset;
        return { page, fresh };
      }
      if (limit === LONGEST_PAGE && !fresh.length) offset += limit;
      else if (limit === LONGEST_PAGE) return { page, fresh };
      limit = LONGEST_PAGE;
    }
  }

  /** Take over the server's counts; while votes are on their way, ours are ahead. */
  count({ total, scored, graded, skipped, matching, waiting = false, session_state: state = null }) {
    Object.assign(this.progress, { total, scored, matching, waiting, state }, this.isSettled() ? { graded, skipped } : {});
  }
}
