// A group session on the stage: follow what a lead presents, or present; say something of a candidate; decide it.

import { API, getJson, postJson } from "./api.js";
import { h, keyCap, setPressed, setText } from "./dom.js";
import { DEFAULTS } from "./settings.js";

const PUSH_MS = 40;
const RECONNECT_MS = 1500;
const VIEW = ["view", "stretch", "softening", "black", "white", "inverted", "smooth", "method", "opacity", "contours", "position"];

export class Together {
  /**
   * `show(entry)` goes to a candidate, `look(settings)` applies what the lead sees, `renew(objectId)` asks for its
   * details again, `changed()` asks the server what is to be done, `now()` tells {entry, settings, ahead}, `say(words)` shows a notice.
   */
  constructor({ campaign, show, look, renew, changed, now, say }) {
    Object.assign(this, { show, look, renew, changed, now, say, session: campaign.session, isLead: ["lead", "admin"].includes(campaign.role) });
    this.path = `sessions/${encodeURIComponent(this.session.id)}`;
    this.told = null;
    this.presenting = false;
    this.follows = true;
    this.own = null; // settings from before somebody presented
    this.words = h("span", {});
    this.leave = h("button", { "data-testid": "leave", title: "Follow, or look on your own (L)", onclick: () => this.toggleFollow() });
    this.present = h("button", { "data-testid": "present", title: "Present what is on your screen to everybody in the session (P)", onclick: () => this.togglePresent() }, keyCap("P"), "present");
    this.round = h("button", { "data-testid": "round", title: "Close the round and show all votes, or open it again (R)", onclick: () => this.toggleRound() });
    this.element = h("div", { class: "together", "data-testid": "together", role: "status" }, this.words, h("span", { class: "spring" }), this.leave, this.round, this.present);
    this.discussion = new Discussion(this);
    this.update();
    this.connect();
  }

  connect() {
    this.events = new EventSource(`${API}/${this.path}/presented`);
    this.events.onmessage = (event) => this.hear(JSON.parse(event.data));
    // The browser comes back by itself after a break, but not after a refusal: signed out, or the server restarts.
    this.events.onerror = () => {
      if (this.events.readyState !== EventSource.CLOSED) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.connect(), RECONNECT_MS);
    };
  }

  destroy() {
    clearTimeout(this.timer);
    clearTimeout(this.pushTimer);
    this.events.close();
  }

  get isFollowing() {
    return this.follows && !this.presenting && Boolean(this.told?.object_id);
  }

  /** What whoever presents will probably show next. */
  get ahead() {
    return this.told?.ahead ?? [];
  }

  /** While somebody presents, a grade does not move on. */
  get isPinned() {
    return this.presenting || this.isFollowing;
  }

  hear(told) {
    const before = this.told;
    this.told = told;
    if (before && told.state !== before.state) this.changed(); // paused, closed, opened again
    // A server that was started again presents nothing: whoever presents here goes on.
    if (this.presenting && !told.object_id && before?.object_id) return this.push();
    if (!told.object_id && before?.object_id && this.own) {
      this.look(this.own);
      this.own = null;
    }
    if (this.isFollowing) this.follow(before);
    if (told.object_id && told.votes && !before?.votes) this.renew(told.object_id);
    this.update();
  }

  follow(before) {
    const { told } = this;
    this.own ??= Object.fromEntries(VIEW.map((name) => [name, this.now().settings[name]]));
    const fits = ([name, value]) => VIEW.includes(name) && (typeof value === typeof DEFAULTS[name] || name === "method");
    this.look(Object.fromEntries(Object.entries(told.view).filter(fits)));
    if (told.object_id !== before?.object_id || !this.now().entry) this.show({ object_id: told.object_id, planes_hash: told.planes_hash });
  }

  toggleFollow() {
    if (!this.told?.object_id || this.presenting) return;
    this.follows = !this.follows;
    if (this.follows) this.follow(null);
    else if (this.own) {
      this.look(this.own);
      this.own = null;
    }
    this.update();
  }

  togglePresent() {
    if (!this.isLead) return this.say("Leads present.");
    this.presenting = !this.presenting;
    this.voting = true;
    this.push();
    this.update();
  }

  toggleRound() {
    if (!this.presenting) return;
    this.voting = !this.voting;
    this.push();
  }

  /** Something moved on the lead's screen: hand it on, a new candidate with a new round. */
  moved() {
    if (!this.presenting) return;
    const { entry } = this.now();
    if (entry && entry.object_id !== this.pushed) this.voting = true;
    clearTimeout(this.pushTimer);
    this.pushTimer = setTimeout(() => this.push(), entry?.object_id === this.pushed ? PUSH_MS : 0);
  }

  async push() {
    const { entry, settings, ahead } = this.now();
    const content = this.presenting && entry
      ? { object_id: entry.object_id, ahead, view: Object.fromEntries(VIEW.map((name) => [name, settings[name]])), voting: this.voting }
      : { object_id: null };
    const key = JSON.stringify(content);
    if (key === this.last && this.told?.object_id) return;
    this.last = key;
    this.pushed = content.object_id;
    const { status, body } = await postJson(`${this.path}/present`, content).catch(() => ({ status: 0 }));
    if (status >= 300) this.say(body?.detail ?? "Presenting failed.");
  }

  update() {
    const { told } = this;
    const votes = told?.votes?.map(({ inspector, grade }) => `${inspector} ${grade}`).join(" · ");
    const counted = told?.n_votes === 1 ? "1 has voted" : `${told?.n_votes ?? 0} have voted`;
    const round = !told?.object_id ? "" : told.voting ? `${counted}; all votes show when the round is closed` : `round closed: ${votes || (told.votes ? "no votes" : "votes show after your grade")}`;
    const who = this.presenting ? "You present" : told?.object_id ? `${this.isFollowing ? "Following" : "Not following"} ${told.by}` : "";
    setText(this.words, [who, round].filter(Boolean).join(" · "));
    this.element.hidden = !told?.object_id && !this.isLead;
    this.element.dataset.following = String(this.isFollowing);
    this.leave.hidden = this.presenting || !told?.object_id;
    this.leave.replaceChildren(keyCap("L"), this.follows ? "look on your own" : "follow");
    this.present.hidden = !this.isLead;
    setPressed(this.present, this.presenting);
    this.round.hidden = !this.presenting;
    this.round.replaceChildren(keyCap("R"), told?.voting ? "close the round" : "open the round");
  }
}

/** What is said of a candidate, and what the discussion comes to: after one's own grade. */
class Discussion {
  constructor(together) {
    this.together = together;
    this.list = h("ul", { class: "votes" });
    this.field = h("input", { type: "text", maxlength: 10000, placeholder: "say something to the group", "aria-label": "Say something to the group", "data-testid": "discuss" });
    this.field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") this.send();
      if (event.key === "Escape") this.field.blur();
    });
    const decide = (grade) => h("button", { class: "chip", "data-testid": `final-${grade}`, title: `Final grade ${grade}, with what stands in the field above as its reason`, onclick: () => this.decide(grade) }, grade);
    this.finals = h("div", { class: "chips" }, h("span", { class: "dim" }, "final grade"), ["A", "B", "C", "X"].map(decide));
    this.finals.hidden = !together.isLead;
    this.element = h("section", { class: "discussion", "data-testid": "discussion" }, h("h2", {}, "Discussion"), this.list, this.field, this.finals);
    this.element.hidden = true;
  }

  /** Show what belongs to this candidate; nothing while it is withheld. */
  update({ current, details }) {
    const objectId = current && details?.object_id === current.object_id && !details.withheld ? current.object_id : null;
    if (objectId === this.objectId) return;
    this.objectId = objectId;
    this.element.hidden = !objectId;
    this.list.replaceChildren();
    if (objectId) this.load();
  }

  async load() {
    const { objectId } = this;
    this.asked = (this.asked ?? 0) + 1;
    const turn = this.asked;
    const told = await getJson(`${this.together.path}/discussion`, { object_id: objectId }).catch(() => null);
    if (!told || turn !== this.asked || objectId !== this.objectId) return; // overtaken by a later answer
    const line = ({ by, at, comment, grade }) => h("li", {}, grade && h("b", { class: "letter", "data-grade": grade }, grade), ` ${by} · ${at.slice(0, 16).replace("T", " ")} UTC · ${comment}`);
    this.list.replaceChildren(...told.said.map(line), ...(told.final ? [line(told.final)] : []));
  }

  async post(path, content) {
    const { status, body } = await postJson(`${this.together.path}/${path}`, content).catch(() => ({ status: 0 }));
    if (status !== 201) return this.together.say(body?.detail ?? "The server is away: nothing was said.");
    this.field.value = "";
    return this.load();
  }

  send() {
    if (this.field.value.trim()) this.post("discussion", { object_id: this.objectId, comment: this.field.value });
  }

  decide(grade) {
    this.post("final", { object_id: this.objectId, grade, comment: this.field.value });
  }
}
