// The page where one candidate is looked at and graded: what is on screen, and which part shows it.

import { Candidates, getJson } from "./api.js";
import { Desk, describedOnceAnswered } from "./desk.js";
import { h } from "./dom.js";
import { Grading } from "./grading.js";
import { header } from "./header.js";
import { helpSheet } from "./help.js";
import { Keyboard } from "./keyboard.js";
import { KEYS, WHAT_IF_KEYS } from "./keys.js";
import { Painter } from "./painter.js";
import { Queue } from "./queue.js";
import { viewsOf } from "./scene.js";
import { DEFAULTS, saveSettings } from "./settings.js";
import { sidebar } from "./sidebar.js";
import { strip } from "./strip.js";
import { Together } from "./together.js";
import { toolbar } from "./toolbar.js";
import { chosen } from "./votes.js";
import { FILLS, WhatIf } from "./what_if.js";

const POINTER = "Wheel: zoom round the cursor. Drag: pan. Double click: whole cutout. In what if a drag paints, Shift and drag pans, Shift and wheel sizes the brush. A grade is saved and the next candidate appears.";
const PREFETCH = 8;
const PRESENTED_AHEAD = 2;
const MAPS_AHEAD = 4; // candidates whose maps the server computes before somebody asks
const POLL_MS = 2000;
const SESSION_POLL_MS = 10_000; // there the server itself tells what changed; hundreds may be in one
const BLINK_MS = 600;
const RETRY_MS = 1000;

/**
 * Build the page in `root`. Returns what removes it. A page that opens it over itself gives `leave(vet)`, for Escape to go
 * back there, and the entries `around` the one that it opens: {entries, at, shown(objectId)}.
 */
export async function mount(root, from) {
  const sessionId = new URLSearchParams(window.location.search).get("session");
  const campaign = await describedOnceAnswered(sessionId);
  const vet = new Vet(root, campaign, from ?? cameFrom());
  await vet.start();
  return () => vet.destroy();
}

/** Where a link to this page says that Escape leads back to. */
function cameFrom() {
  const isFromMosaic = new URLSearchParams(window.location.search).get("from") === "mosaic";
  return isFromMosaic ? { leave: () => window.location.assign("/mosaic") } : {};
}

class Vet extends Desk {
  constructor(root, campaign, { leave = null, around = null } = {}) {
    super(campaign);
    Object.assign(this, { leave, around });
    this.candidates = new Candidates();
    this.painted = null; // {entry, cutout} on the canvas now
    this.explanation = { method: null, map: null };
    this.marking = null; // {kind, at} while the crosshair is out
    this.queue = new Queue({
      fetchPage: (parameters) => this.fetchPage(parameters), onChange: () => this.show(),
      isSettled: () => this.grading.outbox.unacked === 0,
    });
    this.grading = new Grading({
      campaign, queue: this.queue, candidates: this.candidates, seen: () => ({ phase: this.phase(), model: this.model }),
      say: (words) => this.say(words), onOutbox: (state) => this.outboxChanged(state), onStored: (vote) => this.wantDetails(vote.object_id),
    });
    this.whatIf = new WhatIf({ onChange: () => this.experimentChanged(), mapMethod: () => this.explanation.method });
    this.together = campaign.session && new Together({
      campaign, show: (entry) => this.queue.goTo(entry), look: (settings) => this.lookAs(settings), renew: (objectId) => this.renew(objectId),
      changed: () => this.pollLater(true),
      now: () => ({ entry: this.painted?.entry ?? null, settings: this.settings, ahead: this.queue.ahead(PRESENTED_AHEAD).map(({ object_id }) => object_id) }),
      say: (words) => this.say(words),
    });
    this.queue.isPinned = () => Boolean(this.together?.isPinned);
    this.build(root);
  }

  build(root) {
    const actions = this.actions();
    const { campaign } = this;
    this.painter = new Painter({ campaign, actions });
    this.header = header({ campaign, actions, other: { href: "mosaic", action: "mosaic", title: "Many candidates at once (T)" } });
    this.painter.badges.prepend(this.whatIf.verdict);
    this.toolbar = toolbar({ actions, settings: this.settings, whatIf: this.whatIf });
    this.sidebar = sidebar({ campaign, actions });
    if (this.together) this.sidebar.element.append(this.together.discussion.element);
    this.strip = strip({ actions, thumbnail: (objectId) => this.thumbnail(objectId) });
    this.help = helpSheet([...KEYS, WHAT_IF_KEYS], POINTER);
    this.stage = h("main", { class: "stage", "data-testid": "stage", "data-object-id": "", "data-unacked": "0" },
      h("div", { class: "left" }, this.painter.element, this.painter.readout, this.toolbar.element), this.painter.bands, this.sidebar.element);
    this.root = h("div", { class: "vet" }, this.header.element, this.together?.element ?? "", this.notice, this.stage, this.strip.element, this.help.element);
    root.replaceChildren(this.root);
    this.keyboard = new Keyboard({
      actions, terms: { contaminant: campaign.contaminants, tag: campaign.tags, flag: campaign.flags },
      showChord: (name) => this.sidebar.showChord(name),
      isBusy: (event) => this.help.element.open && !["?", "Escape"].includes(event.key),
    });
    this.applyTheme();
  }

  /** The verbs that keys and buttons call, by name. */
  actions() {
    const own = [
      "grade", "skip", "forward", "back", "jumpTo", "reorder", "set", "toggle", "overlay", "overlayNumber", "draft", "choose",
      "copy", "rename", "theme", "cycleView", "cycleStretch", "adjust", "blink", "mark", "moveMark", "setMark", "unmark",
      "resetView", "escape", "saveRefused", "whatIfTool", "experiment", "moveBrush", "keepExperiment",
    ];
    return {
      ...Object.fromEntries(own.map((name) => [name, (argument, more) => this[name](argument, more)])),
      undo: () => this.grading.undo(),
      resume: () => this.queue.advance(),
      goTo: (entry) => this.queue.goTo(entry),
      marking: () => this.marking,
      experimenting: () => this.whatIf.isOn,
      chord: (name) => this.keyboard.chord(name),
      help: () => this.help.toggle(),
      group: () => window.location.assign("/group"),
      mosaic: () => this.toMosaic(),
      present: () => this.together?.togglePresent(),
      round: () => this.together?.toggleRound(),
      follow: () => this.together?.toggleFollow(),
      why: () => this.header.openWhy(),
      explore: () => this.header.openExplore(),
      comment: () => this.sidebar.commentField.focus(),
      jump: () => this.header.jump(),
      focusOrder: () => this.header.focusOrder(),
      focusShow: () => this.header.focusShow(),
      focusModel: () => this.header.focusModel(),
      focusFilter: () => this.header.focusFilter(),
      filter: (filter) => this.filter(filter),
      zoomIn: () => this.painter.view.zoomIn(),
      zoomOut: () => this.painter.view.zoomOut(),
    };
  }

  async start() {
    await this.grading.restoreHistory();
    const asked = new URLSearchParams(window.location.search).get("object");
    this.queue.isHeld = Boolean(asked && !this.around);
    await this.startQueue();
    if (this.around) this.queue.lookAmong(this.around);
    else if (asked) await this.openAsked(asked);
    this.grading.outbox.flush();
    this.poll();
  }

  /** In the order that was chosen last in this campaign; in the default one if that is not to be had any more. */
  async startQueue() {
    if (this.campaign.session) {
      const show = new URLSearchParams(window.location.search).get("show") ?? "todo";
      await this.queue.start({ show: show === "todo" ? "" : show });
      this.queue.settings.show = show;
      return;
    }
    const { order, model } = JSON.parse(localStorage.getItem(this.orderKey) ?? "{}");
    await this.queue.start({ order, model }).catch(() => this.queue.start({ order: null, model: null }));
    const { filter = "", selection = "" } = Object.fromEntries(new URLSearchParams(window.location.search));
    if (filter || selection) await this.reorder({ filter, selection });
  }

  /** The object that a link to this page names; a reload goes on with the queue. */
  async openAsked(asked) {
    const { session } = this.campaign;
    const { filter, selection } = this.queue.settings;
    this.setAddress(session ? { session: session.id } : { filter, selection, from: this.leave && "mosaic" });
    await this.jumpTo(asked);
    this.queue.release();
  }

  /** Many at once: where this page was opened from, if it was from there. */
  toMosaic() {
    if (this.campaign.session) return this.say("A session gives its candidates one at a time.");
    return this.leave ? this.leave(this) : window.location.assign("/mosaic");
  }

  destroy() {
    super.destroy();
    this.isGone = true;
    clearTimeout(this.pollTimer);
    clearInterval(this.blinkTimer);
    this.whatIf.leave();
    this.keyboard.destroy();
    this.together?.destroy();
    this.painter.destroy();
    this.root.remove();
  }

  /** Scores arrive and objects are added while one works: follow, without moving what is on screen. */
  async poll() {
    try {
      const [page, described] = await Promise.all([this.fetchPage({ ...this.queue.settings, limit: 1 }), this.describedNow()]);
      if (!this.isStillHere(described)) return this.pollLater();
      Object.assign(this.campaign, { models: described.models, methods: described.methods });
      this.queue.count(page);
      // What a session gives out changes with what others do.
      if (this.campaign.session && page.items.length && !this.queue.upcoming.length) await this.queue.refill(true);
      if (page.version !== this.queue.version) await this.scoresArrived();
      this.reached(true);
      this.show();
      const { details } = this;
      if (details && !details.withheld && !details.crossmatch) this.renew(details.object_id); // looked up by now, perhaps
    } catch (error) {
      if (error.status === 401) this.say("Your sign-in has ended: sign in again in a new tab (/sign-in), and go on here. Votes are kept.");
      this.reached(false);
    }
    return this.pollLater();
  }

  /** Not all at once, where many are in a session. */
  pollLater(soon = false) {
    clearTimeout(this.pollTimer);
    if (this.isGone) return;
    const each = this.campaign.session && !this.grading.outbox.offline ? SESSION_POLL_MS * (0.75 + 0.5 * Math.random()) : POLL_MS;
    this.pollTimer = setTimeout(() => this.poll(), soon ? 200 * Math.random() : each);
  }

  /** Who and what is at this address; in a session the page of the queue says it too, and hundreds may ask. */
  async describedNow() {
    return this.campaign.session ? this.campaign : getJson("campaign");
  }

  fetchPage(parameters) {
    const { session } = this.campaign;
    return getJson("queue", session ? { show: parameters.show, offset: parameters.offset, limit: parameters.limit, session_id: session.id } : parameters);
  }

  /** The stage as somebody else sees it; what one likes oneself stays in the browser. */
  lookAs(settings) {
    Object.assign(this.settings, settings);
    this.wantMap();
    this.paintAndRefresh();
  }

  renew(objectId) {
    this.candidates.forgetDetails(objectId);
    this.wantDetails(objectId);
  }

  async scoresArrived() {
    await this.queue.refill(true);
    this.candidates.forgetAllDetails();
    if (this.painted) {
      this.wantDetails(this.painted.entry.object_id);
      this.prefetch();
    }
  }

  // What is on screen

  get details() {
    return this.queue.current ? this.candidates.detailsReady(this.queue.current.object_id) : undefined;
  }

  /** Something moved: show the current candidate, at once if it is here, else when it comes. */
  show() {
    const { current } = this.queue;
    if (!current) this.showNothing();
    else if (this.painted?.entry !== current) {
      const cutout = this.candidates.planesReady(current.object_id);
      if (cutout) this.paintNew(current, cutout);
      else this.waitFor(current);
    }
    this.refresh();
  }

  showNothing(words = this.emptyWords()) {
    this.painted = null;
    this.stopExperiment();
    this.stage.dataset.objectId = "";
    this.painter.blank(words);
  }

  emptyWords() {
    const { total, graded, waiting, state } = this.queue.progress;
    if (this.campaign.session) return sessionWords({ total, waiting, state });
    if (!total) return "This campaign has no candidates yet: lensvet ingest CAMPAIGN SOURCE";
    if (graded >= total) return "Every candidate has your grade. Export: lensvet export CAMPAIGN catalogue.fits, or change the queue above.";
    return "Nothing is left in this queue. Choose other candidates above, or go back with ←.";
  }

  async waitFor(entry) {
    this.showNothing("…");
    try {
      const cutout = await this.candidates.planes(entry);
      if (this.queue.current === entry) this.paintNew(entry, cutout);
    } catch (error) {
      if (this.queue.current !== entry) return;
      this.showNothing(error.status ? `${entry.object_id.slice(0, 80)}: ${error.message}` : "Waiting for the server…");
      if (!error.status) setTimeout(() => this.queue.current === entry && this.waitFor(entry), RETRY_MS);
    }
  }

  paintNew(entry, cutout) {
    this.painted = { entry, cutout };
    this.marking = null;
    this.stopExperiment();
    this.explanation = { method: this.settings.method, map: null };
    this.painter.view.reset();
    this.paint();
    this.stage.dataset.objectId = entry.object_id;
    this.around?.shown(entry.object_id);
    this.grading.stopwatch.start(entry.object_id);
    this.wantDetails(entry.object_id);
    this.wantMap();
    this.together?.moved();
    requestAnimationFrame(() => setTimeout(() => this.prefetch()));
  }

  paint() {
    if (!this.painted) return;
    const { cutout } = this.painted;
    const position = this.settings.position ? this.whatIf.position() ?? this.position() : null;
    this.painter.paint({
      cutout, altered: this.whatIf.altered, settings: this.settings, overlay: this.whatIf.overlay(this.explanation.map),
      cursor: this.marking?.at, marks: this.draftNow().marks, position, brush: this.whatIf.brush(),
    });
  }

  /** The network's own position; where it predicts none, the one read off the map on screen. */
  position() {
    const score = this.details?.scores?.find(({ model_version: version }) => version === this.model?.version);
    if (score?.x_arcsec != null) {
      return { x_arcsec: score.x_arcsec, y_arcsec: score.y_arcsec, sigma_arcsec: score.position_sigma_arcsec, source: this.model.title };
    }
    const read = this.explanation.map?.position;
    return read ? { ...read, source: `read off ${this.explanation.title}` } : null;
  }

  async wantDetails(objectId) {
    if (this.queue.current?.object_id !== objectId) return;
    await this.candidates.details(objectId).catch(() => {}); // the poll notices when the server is away
    if (this.queue.current?.object_id !== objectId) return;
    this.paint();
    this.refresh();
  }

  /** The map of the chosen method for the candidate on screen, a coarse one first; a map that comes too late is dropped. */
  async wantMap() {
    const { current } = this.queue;
    const term = this.methods.find(({ name }) => name === this.settings.method);
    const explanation = { method: term?.name ?? null, title: term?.title, map: null, loading: Boolean(term) };
    this.explanation = explanation;
    const show = () => {
      if (this.explanation !== explanation || this.queue.current !== current) return false;
      this.paint();
      this.refresh();
      return true;
    };
    if (term && current) {
      const asked = [current.object_id, this.model.version, term.name];
      const named = {
        title: `${term.title} of ${this.model.title}`, shows: term.shows, cannot_say: `It cannot say: ${term.cannot_say[0].toLowerCase()}${term.cannot_say.slice(1)}`,
      };
      try {
        if (term.has_coarse && !this.candidates.mapReady(...asked)) {
          explanation.map = Object.assign(await this.candidates.coarseMap(...asked), named);
          if (!show()) return;
        }
        explanation.map = Object.assign(await this.candidates.map(...asked), named);
      } catch (error) {
        explanation.map = null;
        explanation.problem = error.status === 403 ? "maps: after your grade" : error.message;
      }
      explanation.loading = false;
    }
    show();
  }

  prefetch() {
    if (this.together?.isFollowing) return this.prepare(this.together.ahead);
    const ahead = this.queue.ahead(PREFETCH);
    this.prepare(ahead);
    for (const entry of ahead) {
      // Asking for the details of a graded object reveals it; that waits until the inspector goes there.
      if (entry.decision === undefined) this.candidates.details(entry.object_id).catch(() => {});
    }
    for (const entry of this.queue.behind(PREFETCH)) this.candidates.planes(entry).then(() => this.updateStrip(), () => {});
    this.computeAhead(ahead.slice(0, MAPS_AHEAD).map(({ object_id }) => object_id));
    const [next] = ahead;
    if (next && this.explanation.method && this.campaign.reveal === "open") {
      this.candidates.map(next.object_id, this.model.version, this.explanation.method).catch(() => {});
    }
  }

  /** Fetch and draw what comes next. */
  prepare(entries) {
    for (const entry of entries) {
      this.candidates.planes(entry).then((cutout) => {
        this.painter.prepare(cutout, this.settings);
        this.updateStrip();
      }, () => {});
    }
  }

  /** Maps that inspectors look at most, and the one that is on screen first. */
  computeAhead(objectIds) {
    const offered = this.methods.map(({ name }) => name);
    const wanted = [...new Set([this.settings.method, "grad-cam", "occlusion"])].filter((name) => offered.includes(name));
    if (objectIds.length && wanted.length) this.candidates.computeAhead(this.model.version, wanted, objectIds);
  }

  thumbnail(objectId) {
    const cutout = this.candidates.planesReady(objectId);
    return cutout ? this.painter.prepare(cutout, this.settings) : null;
  }

  /** What the parts of the page show. */
  state() {
    const { details, explanation } = this;
    return {
      queue: this.queue, settings: this.settings, details, explanation, draft: this.draftNow(), model: this.model,
      models: this.campaign.models, methods: this.methods, inspector: this.campaign.inspector, outbox: this.outboxState,
      rate: this.grading.rate(), refused: this.grading.refusals().length, current: this.painted?.entry ?? null, cutout: this.painted?.cutout ?? null,
      withheld: Boolean(details?.withheld), marking: this.marking?.kind ?? null,
    };
  }

  refresh() {
    const state = this.state();
    for (const part of [this.header, this.toolbar, this.sidebar]) part.update(state);
    this.together?.discussion.update(state);
    this.together?.moved();
    this.updateStrip();
  }

  /** After the frame: the picture is not kept waiting for its neighbours' thumbnails. */
  updateStrip() {
    if (this.stripWaits) return;
    this.stripWaits = true;
    requestAnimationFrame(() => setTimeout(() => {
      this.stripWaits = false;
      this.strip.update(this.queue);
    }));
  }

  // Grading

  draftNow() {
    return this.grading.draft(this.painted?.entry, this.standing());
  }

  draft(changes) {
    if (!this.painted) return;
    this.grading.drafts.keep(this.painted.entry.object_id, { ...this.draftNow(), ...changes });
    if ("marks" in changes) this.paint();
    this.refresh();
  }

  /** The vote on this candidate that stands, as the server told it; null if none does, or if it is not known yet. */
  standing() {
    const [last] = this.details?.my_votes ?? [];
    return this.painted?.entry.decision && last?.grade ? last : null;
  }

  choose(group, id) {
    this.draft(chosen(this.draftNow(), group, id));
  }

  /** Blind until scores, maps or the truth of this object have been on the page. */
  phase() {
    const { details } = this;
    if (this.campaign.reveal !== "open") return details?.revealed ? "revealed" : "blind";
    const asked = this.whatIf.answeredFor !== null && this.whatIf.answeredFor === this.painted?.entry.object_id;
    return details?.scores?.length || details?.truth || details?.crossmatch?.known_lens || this.explanation.map || asked ? "revealed" : "blind";
  }

  /** Only what is painted can be graded: a key pressed while the next one loads does nothing. */
  get gradable() {
    const ready = this.painted !== null && this.painted.entry === this.queue.current;
    return ready && (this.campaign.reveal === "open" || Boolean(this.details));
  }

  grade(letter) {
    if (!this.gradable) return;
    this.grading.decide(this.painted.entry, letter, this.standing());
  }

  skip() {
    if (!this.gradable) return;
    if (this.painted.entry.decision === undefined) this.grading.decide(this.painted.entry, null, null);
    else this.queue.advance();
  }

  mark(kind) {
    if (!this.painted) return;
    const { pointer } = this.painter.view;
    this.marking = { kind, at: pointer ?? [0, 0] };
    if (pointer) this.setMark();
    else this.paintAndRefresh();
  }

  moveMark([dx, dy]) {
    const step = this.painter.pixelStep();
    const [x, y] = this.marking.at;
    this.marking.at = [x + dx * step, y + dy * step];
    this.paint();
  }

  setMark() {
    const { kind, at } = this.marking;
    this.marking = null;
    this.draft({ marks: [...this.draftNow().marks, this.painter.markAt(kind, at)] });
  }

  unmark() {
    this.draft({ marks: this.draftNow().marks.slice(0, -1) });
  }

  /** Close or cancel what there is; where there is nothing, back to where this page was opened from. */
  escape() {
    const isAtRest = !this.help.element.open && !this.marking && !this.whatIf.isOn && this.notice.hidden;
    if (isAtRest && this.leave) return this.leave(this);
    this.help.element.close();
    if (!this.marking) this.stopExperiment();
    this.marking = null;
    this.notice.hidden = true;
    return this.paintAndRefresh();
  }

  // What if

  /** Take a tool; the one that is in the hand puts it away. */
  whatIfTool(tool) {
    if (this.whatIf.isOn) return this.whatIf.tool === tool ? this.escape() : this.whatIf.take(tool);
    if (!this.painted) return;
    if (this.details?.withheld) return this.say("What if comes after your grade.");
    if (!this.model) return this.say("No network has scored this campaign yet: lensvet score");
    const { entry, cutout } = this.painted;
    clearInterval(this.blinkTimer);
    this.blinkTimer = null;
    this.painter.view.brush = {
      begin: (at) => this.whatIf.begin(at),
      move: (at) => {
        this.whatIf.move(at);
        this.painter.paintBrush(this.whatIf.brush());
      },
      end: () => this.whatIf.end(),
      resize: (step) => this.whatIf.resize(step),
    };
    this.whatIf.enter({ entry, cutout, model: this.model, at: this.lensPlace(), tool });
  }

  /** Where the lens is: as the inspector marked it, as the network says, or in the middle. */
  lensPlace() {
    const marked = this.draftNow().marks.find(({ kind }) => kind === "lens");
    if (marked) return this.painter.placeOf(marked);
    const position = this.position();
    return position ? [position.x_arcsec, position.y_arcsec] : [0, 0];
  }

  stopExperiment() {
    this.painter.view.brush = null;
    this.whatIf.leave();
  }

  experimentChanged() {
    this.paint();
    this.toolbar.update(this.state());
  }

  /** What the keys and the panel do to the brush. */
  experiment(verb, argument) {
    const { whatIf } = this;
    const next = (choices, current) => choices[(choices.indexOf(current) + 1) % choices.length];
    const verbs = {
      widen: () => whatIf.resize(1), narrow: () => whatIf.resize(-1),
      nextFill: () => whatIf.setFill(next(FILLS, whatIf.fill)), nextBand: () => whatIf.setBand(next(whatIf.bandChoices, whatIf.band)),
    };
    if (verb === "undo" && !whatIf.canUndo) return this.say("Nothing is left to take back.");
    if (verb in verbs) verbs[verb]();
    else whatIf[verb](argument);
  }

  moveBrush([dx, dy]) {
    const step = this.painter.pixelStep();
    const [x, y] = this.whatIf.at;
    const at = [x + dx * step, y + dy * step];
    if (this.whatIf.tool === "lens") return this.whatIf.placeLens(at);
    this.whatIf.move(at);
    this.painter.paintBrush(this.whatIf.brush());
  }

  async keepExperiment() {
    const { entry } = this.painted ?? {};
    await this.whatIf.settled;
    if (this.painted?.entry !== entry) return;
    const note = this.whatIf.note();
    if (!note) return this.say("Nothing is changed yet.");
    const { comment } = this.draftNow();
    this.draft({ comment: comment ? `${comment}\n${note}` : note });
  }

  paintAndRefresh() {
    this.paint();
    this.refresh();
  }

  // Walking

  forward() {
    if (!this.queue.forward()) this.say("Nothing comes after this one in the queue.");
  }

  back() {
    if (!this.queue.back()) this.say("This is the first one that you saw.");
  }

  async jumpTo(objectId) {
    this.header.leaveJump();
    if (!objectId) return;
    try {
      const found = await getJson(`objects/${encodeURIComponent(objectId)}`);
      const [last] = found.my_votes;
      const decided = last?.grade ? { decision: last.grade, voteId: last.vote_id } : {};
      this.queue.goTo({ object_id: found.object_id, planes_hash: found.planes_hash, ...decided });
    } catch (error) {
      this.say(error.status === 404 ? `There is no object ${objectId.slice(0, 80)} in this campaign.` : error.message);
    }
  }

  async reorder(settings) {
    try {
      await this.queue.start(settings);
      this.stopExperiment(); // another network may have been chosen
      localStorage.setItem(this.orderKey, JSON.stringify(this.queue.settings));
      this.wantMap();
    } catch (error) {
      this.say(error.message);
    }
  }

  // Looking

  cycleView(step) {
    if (!this.painted) return;
    const views = viewsOf(this.painted.cutout);
    this.set("view", views[(views.indexOf(this.painter.shownView()) + step + views.length) % views.length]);
  }

  blink() {
    const running = this.blinkTimer;
    clearInterval(running);
    this.blinkTimer = running ? null : setInterval(() => this.cycleView(1), BLINK_MS);
    if (!running) this.cycleView(1);
  }

  resetView() {
    const { black, white, softening } = DEFAULTS;
    Object.assign(this.settings, { black, white, softening });
    this.painter.view.reset();
    this.set("stretch", DEFAULTS.stretch);
  }

  overlay(method) {
    if (this.details?.withheld) return;
    this.settings.method = this.settings.method === method ? null : method;
    saveSettings(this.settings);
    this.wantMap();
    this.whatIf.ask();
    this.paintAndRefresh();
  }

  async copy() {
    const { object_id: objectId } = this.painted?.entry ?? {};
    if (!objectId) return;
    const { ra_deg: ra, dec_deg: dec } = this.painted.cutout;
    await navigator.clipboard.writeText(ra == null ? objectId : `${objectId} ${ra} ${dec}`);
    this.say("Id and position are on the clipboard.");
  }
}

function sessionWords({ total, waiting, state }) {
  if (state === "paused") return "The session is paused. This page goes on by itself when it is resumed.";
  if (state === "closed") return "The session is closed. Thank you. What came of it: /group";
  if (waiting) return "All that is left is on other screens now. What comes back appears here by itself.";
  return total ? "You have graded all that the session has for you. Thank you. What came of it: /group" : "The session has nothing for you.";
}
