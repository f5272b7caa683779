// The page where many are looked at and graded at once: which cells are shown, what a key does to them.

import { Candidates, getJson } from "../stage/api.js";
import { Desk, describedOnceAnswered } from "../stage/desk.js";
import { h, setText } from "../stage/dom.js";
import { Grading } from "../stage/grading.js";
import { header } from "../stage/header.js";
import { helpSheet } from "../stage/help.js";
import { Keyboard } from "../stage/keyboard.js";
import { MOSAIC_BINDINGS, MOSAIC_KEYS } from "../stage/keys.js";
import { COMPOSITE } from "../stage/scene.js";
import { DEFAULTS, loadSettings, pixelSettings, saveSettings } from "../stage/settings.js";
import { Stopwatch, chosen } from "../stage/votes.js";
import { Grid } from "./grid.js";
import { Loupe } from "./loupe.js";
import { Pages } from "./pages.js";
import { SIDES, nextClick, panel } from "./panel.js";
import { CellPictures } from "./pictures.js";
import { Selection } from "./selection.js";
import { Verdicts } from "./verdicts.js";

const POINTER = "Click: the frame goes there, or what “a click” says. Shift and click: a range. Double click: look closer.";
const POLL_MS = 2000;
const HISTORY = 1000; // decisions that can be taken back: a page of 400 is one
const ZOOMS = [1, 1.5, 2, 3, 4, 6];
const PANEL_PX = 372; // beside the grid at least
const PANEL_BELOW_PX = 300; // or below it, on an upright window

/** Build the page in `root`. Returns what removes it. */
export async function mount(root) {
  const mosaic = new Mosaic(root, await describedOnceAnswered(null));
  await mosaic.start();
  return () => mosaic.destroy();
}

/** All cells of a page are looked at from when they are painted, whatever is decided meanwhile. */
class PageStopwatch extends Stopwatch {
  elapsed() {
    return super.elapsed(this.objectId);
  }

  restart() {}
}

class Mosaic extends Desk {
  constructor(root, campaign) {
    super(campaign);
    this.placeKey = `lensvet:mosaic:${campaign.id}`;
    this.turns = 0;
    this.click = null; // the grade that a click gives, null if it selects
    this.selection = new Selection();
    this.painted = []; // by cell: the picture on the canvas
    this.ahead = []; // entries of the next page
    this.seen = new Set(); // objects whose score, position or map were on the page
    this.ranges = new Map(); // vote to the range that it was given with
    this.queue = new Pages({ pending: () => this.pending(), onGoTo: (entry) => { this.wentTo = entry; } });
    this.candidates = new Candidates();
    this.grading = new Grading({
      campaign, queue: this.queue, say: (words) => this.say(words), onOutbox: (state) => this.outboxChanged(state), onStored: () => {},
      candidates: { planesReady: (objectId) => this.paintedOf(objectId), forgetDetails: () => {} },
      seen: (entry) => ({ phase: this.phase(entry), model: this.model }), stopwatch: new PageStopwatch(), history: HISTORY,
    });
    this.pictures = new CellPictures({ campaign, onPictures: (entries) => this.arrived(entries), onProblem: (error) => this.failed(error) });
    this.verdicts = new Verdicts({ pictures: this.pictures, onVerdicts: () => this.paint(), onProblem: (error) => this.say(error.message) });
    this.build(root);
  }

  build(root) {
    const { campaign, settings } = this;
    const actions = this.actions();
    this.grid = new Grid({ onPointer: (index, event) => this.pressed(index, event), onOpen: (index) => this.open(index) });
    this.header = header({ campaign, actions, other: { href: "vet", action: "vet", title: "One candidate at a time (T)" } });
    this.panel = panel({ campaign, actions, settings });
    this.loupe = new Loupe({ canvas: this.panel.loupe, campaign, candidates: this.candidates });
    this.help = helpSheet(MOSAIC_KEYS, POINTER);
    this.stage = h("main", { class: "mosaic-stage", "data-testid": "stage", "data-unacked": "0" }, this.grid.element, this.panel.element);
    this.root = h("div", { class: "vet mosaic" }, this.header.element, this.notice, this.stage, this.help.element);
    this.above = h("div");
    root.replaceChildren(this.root, this.above);
    this.keyboard = new Keyboard({
      actions, terms: { flag: campaign.flags }, bindings: MOSAIC_BINDINGS, showChord: (name) => this.panel.showChord(name),
      isBusy: (event) => this.isCovered || this.isReturning || (this.help.element.open && !["?", "Escape"].includes(event.key)),
    });
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(this.stage);
    this.onPop = () => (window.location.pathname.endsWith("/vet") ? this.openStage() : this.comeBack());
    window.addEventListener("popstate", this.onPop);
    this.applyTheme();
  }

  /** The verbs that keys and buttons call, by name. */
  actions() {
    const own = [
      "grade", "skip", "undo", "choose", "selectRest", "selectAll", "walk", "walkTo", "turn", "goToPage", "renew", "jumpTo", "reorder", "open", "resize",
      "zoom", "set", "toggle", "adjust", "cycleView", "cycleStretch", "resetView", "overlay", "overlayNumber", "setClick", "theme", "rename", "saveRefused", "escape",
    ];
    return {
      ...Object.fromEntries(own.map((name) => [name, (...words) => this[name](...words)])),
      cycleClick: () => this.setClick(nextClick(this.click)),
      chord: (name) => this.keyboard.chord(name),
      help: () => this.help.toggle(),
      askPage: () => this.panel.focusPage(),
      vet: () => window.location.assign("/vet"),
      group: () => window.location.assign("/group"),
      why: () => this.header.openWhy(),
      explore: () => this.header.openExplore(),
      jump: () => this.header.jump(),
      focusOrder: () => this.header.focusOrder(),
      focusShow: () => this.header.focusShow(),
      focusModel: () => this.header.focusModel(),
      focusFilter: () => this.header.focusFilter(),
      filter: (text) => this.filter(text),
    };
  }

  async start() {
    this.layOut();
    await this.grading.restoreHistory();
    const place = JSON.parse(sessionStorage.getItem(this.placeKey) ?? "null") ?? {};
    const { order, model } = place.settings ?? JSON.parse(localStorage.getItem(this.orderKey) ?? "{}");
    const { filter = "", selection = "" } = Object.fromEntries(new URLSearchParams(window.location.search));
    Object.assign(this.queue.settings, { order: order ?? null, model: model ?? null, show: place.settings?.show ?? "todo", filter, selection });
    this.queue.asOf = place.asOf ?? this.campaign.now;
    this.queue.size = this.settings.side ** 2;
    const offset = Math.floor((place.at ?? 0) / this.queue.size) * this.queue.size;
    if (!(await this.go({ offset }, (place.at ?? 0) - offset))) await this.renew();
    this.grading.outbox.flush();
    this.poll();
  }

  destroy() {
    super.destroy();
    this.isGone = true;
    clearTimeout(this.pollTimer);
    window.removeEventListener("popstate", this.onPop);
    this.unmountStage?.();
    this.observer.disconnect();
    this.keyboard.destroy();
    this.loupe.destroy();
    this.pictures.destroy();
    this.root.remove();
  }

  /** Scores arrive and objects are added while one works: follow, without moving what is on screen. */
  async poll() {
    clearTimeout(this.pollTimer);
    if (this.isGone || this.isCovered) return;
    try {
      const [page, described] = await Promise.all([getJson("queue", { ...this.queue.settings, limit: 1 }), getJson("campaign")]);
      if (this.isStillHere(described)) {
        const { models, methods, is_blind } = described;
        Object.assign(this.campaign, { models, methods, is_blind });
        if (!this.grading.outbox.unacked) this.queue.tally(page);
        if (page.version !== this.queue.version) this.scoresArrived(page);
        this.reached(true);
        this.refresh();
      }
    } catch (error) {
      if (error.status === 401) this.say("Your sign-in has ended: sign in again in a new tab (/sign-in), and go on here. Votes are kept.");
      this.reached(false);
    }
    this.pollTimer = setTimeout(() => this.poll(), POLL_MS);
  }

  /** What is on screen stays; pages that come are those of the new order. */
  scoresArrived({ version, model }) {
    Object.assign(this.queue, { version });
    this.queue.settings.model ??= model;
    this.queue.forget();
    this.verdicts.forget();
    if (this.queue.current.entries.length) this.paint();
    else this.renew();
  }

  // Pages

  get entries() {
    return this.queue.current.entries;
  }

  get entry() {
    return this.entries[this.selection.cursor] ?? null;
  }

  /** Show a page, with the frame on one of its cells (or on an object). Returns whether there was an answer. */
  async go(where, at = 0) {
    this.turns += 1;
    const turn = this.turns;
    try {
      const page = await this.queue.load(where);
      if (turn !== this.turns) return true;
      this.queue.current = page;
      const index = typeof at === "string" ? page.entries.findIndex(({ object_id: id }) => id === at) : at;
      this.selection.begin(Math.min(Math.max(index, 0), Math.max(page.entries.length - 1, 0)));
      this.painted = [];
      this.ahead = [];
      Object.assign(this.grid.element.dataset, { page: "", ahead: "0" });
      this.paint();
      return true;
    } catch (error) {
      if (turn === this.turns) this.say(error.status === 404 && where.holding ? `${where.holding.slice(0, 80)} is not in this list: choose all candidates above.` : error.message);
      return false;
    }
  }

  turn(step, at = 0) {
    const offset = this.queue.current.offset + step * this.queue.size;
    if (offset < 0) return this.say("This is the first page.");
    if (offset >= this.queue.matching) return this.say("This is the last page. l begins anew with what is left.");
    return this.go({ offset }, at);
  }

  goToPage(number) {
    if (Number.isInteger(number)) this.go({ offset: this.queue.offsetOf(number) });
    else this.refresh();
  }

  jumpTo(objectId) {
    this.header.leaveJump();
    if (objectId) this.go({ holding: objectId }, objectId);
  }

  /** The list as it is now: what has been graded since leaves it. */
  async renew() {
    this.campaign.now = (await getJson("campaign").catch(() => this.campaign)).now;
    this.queue.asOf = this.campaign.now;
    this.queue.forget();
    return this.go({ offset: 0 });
  }

  async reorder(settings) {
    const before = { ...this.queue.settings };
    Object.assign(this.queue.settings, settings);
    this.verdicts.forget();
    if (await this.renew()) localStorage.setItem(this.orderKey, JSON.stringify(this.queue.settings));
    else Object.assign(this.queue.settings, before);
  }

  resize(step) {
    const side = Math.min(Math.max(this.settings.side + step, SIDES[0]), SIDES[1]);
    if (side === this.settings.side) return;
    const at = this.queue.current.offset + this.selection.cursor;
    this.settings.side = side;
    saveSettings(this.settings);
    this.queue.size = side ** 2;
    this.queue.forget();
    this.layOut();
    this.go({ offset: Math.floor(at / this.queue.size) * this.queue.size }, at % this.queue.size);
  }

  // What is on screen

  /** The largest square that leaves the panel its room, beside or below. */
  layOut() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return;
    const [beside, below] = [Math.min(height, width - PANEL_PX), Math.min(width, height - PANEL_BELOW_PX)];
    this.stage.dataset.layout = beside >= below ? "beside" : "below";
    if (this.grid.resize(this.settings.side, Math.max(beside, below, 120))) this.paint();
  }

  get isWithheld() {
    return Boolean(this.campaign.is_blind);
  }

  /** What decides how a cell's pixels look. */
  look() {
    const { view, zoom, smooth } = this.settings;
    const known = this.campaign.bands.includes(view) ? view : COMPOSITE;
    return { view: known, settings: pixelSettings(this.settings), side: this.grid.side, zoom, smooth };
  }

  /** Draw what is here, ask for what is not. A cell keeps its old picture until the new one comes. */
  paint() {
    if (this.isCovered) return;
    const look = this.look();
    this.askVerdicts(this.entries);
    for (let index = 0; index < this.grid.list.length; index++) this.paintCell(index, look);
    this.pictures.want(this.entries, look);
    this.refresh();
    this.settle(look);
  }

  paintCell(index, look) {
    const entry = this.entries[index];
    const picture = entry && this.pictures.ready(entry, look);
    if (picture) this.painted[index] = picture;
    const verdict = entry && this.verdictOf(entry);
    if (picture && this.tells(verdict)) this.seen.add(entry.object_id);
    if (picture || !this.painted[index]) this.grid.draw(index, { picture, verdict, look, showPosition: this.settings.position });
  }

  arrived(entries) {
    if (this.isCovered) return;
    const look = this.look();
    const fresh = new Set(entries.map(({ object_id: id }) => id));
    this.entries.forEach(({ object_id: id }, index) => { if (fresh.has(id)) this.paintCell(index, look); });
    this.settle(look);
    this.noteAhead(look);
  }

  failed(error) {
    this.say(error.status ? error.message : "Waiting for the server…");
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => !this.isGone && this.paint(), POLL_MS);
  }

  /** Once every cell is painted: the time counts from here, and the next page is drawn ahead. */
  settle(look) {
    const { offset, entries } = this.queue.current;
    const { dataset } = this.grid.element;
    const count = entries.filter((entry) => this.pictures.ready(entry, look)).length;
    dataset.painted = String(count);
    if (count) this.grading.stopwatch.start(`${offset} of ${this.queue.asOf}`);
    if (!count || count < entries.length) return;
    this.refresh();
    dataset.page = String(this.queue.number);
    requestAnimationFrame(() => setTimeout(() => this.lookAhead(look)));
  }

  async lookAhead(look) {
    const { offset } = this.queue.current;
    for (const next of [offset + this.queue.size, offset - this.queue.size]) {
      if (next < 0 || next >= this.queue.matching) continue;
      const page = await this.queue.load({ offset: next }).catch(() => null);
      if (!page || offset !== this.queue.current.offset || this.isCovered) return;
      if (next > offset) this.ahead = page.entries;
      this.pictures.wantAhead(page.entries, look);
      this.askVerdicts(page.entries);
      this.noteAhead(look);
    }
  }

  /** How much of the next page is drawn. */
  noteAhead(look) {
    this.grid.element.dataset.ahead = String(this.ahead.filter((entry) => this.pictures.ready(entry, look)).length);
  }

  /** What is asked of the network: nothing where grading is blind, or where nothing of it is to be shown. */
  askVerdicts(entries) {
    const { bars, position } = this.settings;
    const isAsked = this.model && !this.isWithheld && (bars || position || this.method);
    this.verdicts.look = isAsked ? { model: this.model.version, method: this.method?.name ?? null, side: this.grid.side } : null;
    this.verdicts.want(entries);
  }

  get method() {
    return this.methods.find(({ name }) => name === this.settings.method) ?? null;
  }

  verdictOf({ object_id: objectId }) {
    const found = this.verdicts.ready(objectId);
    return found && { ...found, opacity: this.settings.opacity };
  }

  /** Whether a cell with this verdict shows anything of it. */
  tells(verdict) {
    return Boolean(verdict && ((this.settings.bars && verdict.p_lens != null) || (this.settings.position && verdict.position) || verdict.layer));
  }

  paintedOf(objectId) {
    return this.painted.find((picture) => picture?.object_id === objectId);
  }

  /** Only what is painted can be graded. */
  isGradable(index) {
    const picture = this.painted[index];
    return Boolean(picture?.bitmap) && picture.object_id === this.entries[index]?.object_id;
  }

  refresh() {
    if (this.refreshWaits) return;
    this.refreshWaits = true;
    queueMicrotask(() => {
      this.refreshWaits = false;
      if (!this.isGone) this.update();
    });
  }

  update() {
    const { queue, settings, selection, entry } = this;
    const outbox = this.outboxState;
    this.header.update({ queue, models: this.campaign.models, inspector: this.campaign.inspector, rate: this.grading.rate(), outbox, refused: this.grading.refusals().length });
    this.grid.update(this.entries.map((one, index) => this.stateOf(one, index)), { cursor: selection.cursor, selected: selection.chosen, bars: this.settings.bars && !this.isWithheld });
    const decided = this.entries.filter(({ decision }) => decision !== undefined).length;
    this.panel.update({
      pages: queue, settings, selection: selection.chosen, click: this.click, decided,
      entry, verdict: settings.bars && entry ? this.verdictOf(entry) : null, model: settings.bars ? this.model : null, withheld: this.isWithheld, methods: this.methods, captionWords: this.captionWords(),
    });
    this.loupe.show(entry, { settings, cell: entry && this.pictures.ready(entry, this.look()), zoom: settings.zoom, verdict: entry && this.verdictOf(entry) });
    setText(this.grid.message, this.entries.length ? "" : this.emptyWords());
    this.keepPlace();
  }

  stateOf(entry, index) {
    const { decision, object_id: objectId } = entry;
    return {
      objectId, letter: decision === undefined ? "" : decision ?? "–", flag: this.grading.draft(entry, null).flag,
      problem: this.painted[index]?.problem ?? "", p: this.isWithheld ? null : this.verdictOf(entry)?.p_lens ?? null,
    };
  }

  captionWords() {
    const { method } = this;
    if (!method) return "";
    const stored = this.entries.filter((entry) => this.verdictOf(entry)?.layer).length;
    return `${method.title} of ${this.model.title}, stored for ${stored} of ${this.entries.length} (lensvet explain writes all). ${method.shows} It cannot say: ${method.cannot_say[0].toLowerCase()}${method.cannot_say.slice(1)}`;
  }

  emptyWords() {
    const { total, graded } = this.queue.progress;
    if (!this.queue.version) return "…";
    if (!total) return "This campaign has no candidates yet: lensvet ingest CAMPAIGN SOURCE";
    return graded >= total ? "Every candidate has your grade. Choose others above." : "Nothing is in this list. Choose others above.";
  }

  /** Where one is: a reload goes on there, with the same list. */
  keepPlace() {
    if (!this.queue.version) return;
    const { settings, asOf, current } = this.queue;
    sessionStorage.setItem(this.placeKey, JSON.stringify({ settings, asOf, at: current.offset + this.selection.cursor }));
  }

  // Grading

  /** Blind until score, position or map of this object have been on the page; where grading is blind the server says it. */
  phase({ object_id: objectId, wasShown }) {
    return (this.campaign.reveal === "open" ? this.seen.has(objectId) : wasShown) ? "revealed" : "blind";
  }

  /** Objects with a decision that the server may not have yet. */
  pending() {
    return new Set(this.grading.outbox.waiting().map(({ vote }) => vote.object_id));
  }

  /** A grade, or null for a skip, on all that are selected, else on the cell in the frame. */
  grade(letter) {
    const indices = this.selection.indices(this.entries.length);
    const isRange = this.selection.chosen.size > 0;
    this.decide(indices, letter);
    if (!isRange && this.entries[indices[0]]?.decision === letter) this.selection.step(1, this.entries.length);
    this.selection.clear();
    this.refresh();
  }

  skip() {
    this.grade(null);
  }

  decide(indices, letter) {
    const range = crypto.getRandomValues(new Uint32Array(1))[0];
    for (const entry of indices.filter((index) => this.isGradable(index)).map((index) => this.entries[index])) {
      if (letter === null && entry.decision !== undefined) continue; // a skip undoes no grade
      this.grading.decide(entry, letter, null);
      entry.decidedAt = performance.now();
      this.ranges.set(entry.voteId, range);
    }
  }

  /** The last decision, or all of a range that was decided with it; the frame goes there. */
  undo() {
    const rangeOf = () => this.ranges.get(this.grading.decisions.at(-1)?.vote.vote_id);
    const range = rangeOf();
    do {
      this.grading.undo();
      if (this.wentTo) this.wentTo.decidedAt = performance.now();
    } while (range !== undefined && rangeOf() === range);
    const entry = this.wentTo;
    this.wentTo = null;
    if (!entry) return;
    const index = this.entries.indexOf(entry);
    if (index >= 0) this.selection.begin(index);
    else this.go({ holding: entry.object_id }, entry.object_id);
    this.refresh();
  }

  /** A flag goes with the grade: on what is graded already, as a revision. */
  choose(group, id) {
    const indices = this.selection.indices(this.entries.length).filter((index) => this.isGradable(index));
    for (const index of indices) {
      const entry = this.entries[index];
      const draft = this.grading.draft(entry, null);
      this.grading.drafts.keep(entry.object_id, { ...draft, ...chosen(draft, group, id) });
    }
    const graded = indices.filter((index) => this.entries[index].decision);
    for (const letter of new Set(graded.map((index) => this.entries[index].decision))) {
      this.decide(graded.filter((index) => this.entries[index].decision === letter), letter);
    }
    this.refresh();
  }

  setClick(click) {
    this.click = click;
    this.refresh();
  }

  // Selecting and walking

  pressed(index, event) {
    if (index >= this.entries.length) return;
    if (event.shiftKey) this.selection.extendTo(index);
    else {
      this.selection.begin(index);
      if (this.click) this.decide([index], this.click);
    }
    this.refresh();
  }

  selectRest() {
    this.selection.choose(this.entries.flatMap(({ decision }, index) => (decision === undefined ? [index] : [])));
    this.refresh();
  }

  selectAll() {
    this.selection.choose(this.entries.map((_, index) => index));
    this.refresh();
  }

  /** A step of the frame; past the edge of the page to the next or previous one. */
  walk([dx, dy]) {
    const rows = this.settings.side;
    const { cursor } = this.selection;
    const next = cursor + dx + dy * rows;
    const isShifted = this.keyboard.isShifted;
    if (next >= 0 && next < this.entries.length) return this.walkTo(next);
    if (isShifted) return undefined;
    const last = this.queue.size - 1;
    if (next < 0) return this.turn(-1, dx ? last : last - rows + 1 + (cursor % rows));
    return this.queue.current.offset + this.queue.size < this.queue.matching ? this.turn(1, dx ? 0 : cursor % rows) : undefined;
  }

  walkTo(index) {
    const to = index < 0 ? this.entries.length - 1 : index;
    if (this.keyboard.isShifted) this.selection.extendTo(to);
    else this.selection.begin(to);
    this.refresh();
  }

  escape() {
    this.help.element.close();
    this.notice.hidden = true;
    this.selection.clear();
    this.refresh();
  }

  // Looking

  paintAndRefresh() {
    this.paint();
  }

  zoom(step) {
    const at = ZOOMS.indexOf(this.settings.zoom) + step;
    if (ZOOMS[at]) this.set("zoom", ZOOMS[at]);
  }

  cycleView(step) {
    const views = [COMPOSITE, ...this.campaign.bands];
    this.set("view", views[(views.indexOf(this.look().view) + step + views.length) % views.length]);
  }

  resetView() {
    const { black, white, softening, zoom } = DEFAULTS;
    Object.assign(this.settings, { black, white, softening, zoom });
    this.set("stretch", DEFAULTS.stretch);
  }

  overlay(method) {
    if (this.isWithheld) return;
    this.set("method", this.settings.method === method ? null : method);
  }

  // The stage, over this page

  /** Look closer at a cell: `/vet` opens over this page, among the candidates of this page. */
  open(index = this.selection.cursor) {
    if (!this.entries[index]) return;
    this.selection.begin(index);
    window.history.pushState(null, "", "/vet?from=mosaic");
    this.openStage();
  }

  async openStage() {
    if (this.isCovered || this.isReturning) return;
    this.isCovered = true;
    this.root.hidden = true;
    this.painted = [];
    this.grid.element.dataset.page = "";
    this.title = document.title;
    document.title = this.title.replace(/^[^·]+/, "Vet ");
    const entries = this.entries.map(({ object_id, planes_hash, rank, decision, voteId, said }) => ({ object_id, planes_hash, rank, decision, voteId, said }));
    const { mount: mountStage } = await import("../stage/vet.js");
    const unmount = await mountStage(this.above, {
      leave: () => window.history.back(),
      around: { entries, at: this.selection.cursor, shown: (objectId) => this.lookedAt(objectId) },
    });
    if (this.isCovered) this.unmountStage = unmount;
    else unmount();
  }

  lookedAt(objectId) {
    this.lookedAtLast = objectId;
    if (this.model) this.seen.add(objectId); // the stage shows scores
  }

  /** To the same page, the frame on what was looked at last; what was decided there shows. */
  async comeBack() {
    if (!this.isCovered) return;
    this.unmountStage?.();
    this.unmountStage = null;
    this.isCovered = false;
    this.isReturning = true; // until what was decided there shows, no key decides anything here
    document.title = this.title;
    Object.assign(this.settings, loadSettings());
    this.applyTheme();
    this.root.hidden = false;
    this.layOut();
    const { offset } = this.queue.current;
    const at = this.entries.some(({ object_id: id }) => id === this.lookedAtLast) ? this.lookedAtLast : this.selection.cursor;
    await this.grading.restoreHistory().catch(() => {}); // away: what is here stays
    const isThere = await this.go({ offset, anew: true }, at);
    this.isReturning = false;
    if (!isThere) this.paint();
    this.grading.outbox.flush();
    this.poll();
  }
}
