// What every page has on which one grades: settings, light and dark, who one is, what is said, votes that wait or were refused.

import { getJson, postJson } from "./api.js";
import { h, setText } from "./dom.js";
import { STRETCHES } from "./pixels.js";
import { loadSettings, saveSettings, within } from "./settings.js";

const NOTICE_MS = 8000;
const RETRY_MS = 1000;

/** The campaign, or a session in it. Asks until there is an answer: a page that is opened while the server starts waits for it. */
export async function describedOnceAnswered(sessionId) {
  for (;;) {
    try {
      return await getJson("campaign", { session_id: sessionId });
    } catch (error) {
      if (error.status && error.status < 500) {
        document.body.append(h("p", { class: "problem", "data-testid": "problem" }, error.message, " ", h("a", { href: "/group" }, "to the sessions")));
        throw error;
      }
      await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
    }
  }
}

/** A page extends this with `grading`, `queue`, `header`, `reorder(settings)`, `refresh()`, and `paintAndRefresh()` for when it is to look different. */
export class Desk {
  constructor(campaign) {
    this.campaign = campaign;
    this.settings = loadSettings();
    this.outboxState = { unacked: 0, offline: false };
    this.orderKey = `lensvet:order:${campaign.id}`;
    this.notice = h("div", { class: "notice", role: "alert", "data-testid": "notice", hidden: true });
    this.onLeave = (event) => { if (this.grading.outbox.unacked) event.preventDefault(); };
    window.addEventListener("beforeunload", this.onLeave);
  }

  destroy() {
    window.removeEventListener("beforeunload", this.onLeave);
    clearTimeout(this.noticeTimer);
    this.grading.destroy();
  }

  /** Only candidates that meet a condition; all of them, and none of a selection, when it is empty. */
  async filter(text) {
    await this.reorder(text ? { filter: text } : { filter: "", selection: "" });
    if (this.queue.settings.filter !== text) return;
    this.header.leaveFilter();
    this.setAddress({ filter: text, selection: this.queue.settings.selection });
  }

  /** What a reload, or whoever gets the address, comes back to. */
  setAddress(parameters) {
    const given = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
    window.history.replaceState(null, "", [window.location.pathname, given].filter(String).join("?"));
  }

  say(words) {
    setText(this.notice, words);
    this.notice.hidden = false;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => { this.notice.hidden = true; }, NOTICE_MS);
  }

  outboxChanged(state) {
    const back = this.outboxState.offline && !state.offline;
    this.outboxState = { ...state, recovered: back || (this.outboxState.recovered && !state.offline) };
    this.stage.dataset.unacked = String(state.unacked);
    this.refresh();
  }

  /** The server answers, or does not: votes that wait go out as soon as it does. */
  reached(isThere) {
    const { outbox } = this.grading;
    if (isThere !== outbox.offline) return;
    outbox.offline = !isThere;
    outbox.report();
    if (isThere) outbox.flush();
  }

  /** Whether the campaign and the inspector of this page are still those at this address. */
  isStillHere({ id, inspector }) {
    if (id === this.campaign.id && inspector === this.campaign.inspector) return true;
    this.say("Another campaign or inspector is at this address now: reload the page. Votes on their way are kept here.");
    return false;
  }

  get model() {
    const { models } = this.campaign;
    return models.find(({ version }) => version === this.queue.settings.model) ?? models[0] ?? null;
  }

  get methods() {
    return this.campaign.methods.filter(({ name }) => this.model?.methods.includes(name));
  }

  // Looking

  set(name, value) {
    this.settings[name] = value;
    saveSettings(this.settings);
    this.paintAndRefresh();
  }

  toggle(name) {
    this.set(name, !this.settings[name]);
  }

  adjust([name, step]) {
    this.set(name, within(name, this.settings[name] + step));
  }

  cycleStretch() {
    this.set("stretch", STRETCHES[(STRETCHES.indexOf(this.settings.stretch) + 1) % STRETCHES.length]);
  }

  overlayNumber(index) {
    const method = this.methods[index];
    if (method) this.overlay(method.name);
  }

  theme() {
    this.set("dark", !this.settings.dark);
    this.applyTheme();
  }

  applyTheme() {
    document.documentElement.dataset.theme = this.settings.dark ? "dark" : "light";
    this.header.setTheme(this.settings.dark);
  }

  // Who one is, and what was refused

  /** Votes that were refused, as a file: nobody's words are lost with them. */
  saveRefused() {
    const file = new Blob([JSON.stringify(this.grading.refusals(), null, 1)], { type: "application/json" });
    const address = URL.createObjectURL(file);
    h("a", { href: address, download: "refused-votes.json" }).click();
    URL.revokeObjectURL(address);
    this.grading.forgetRefusals();
    this.refresh();
  }

  async signOut() {
    if (this.grading.outbox.unacked) return this.say("Votes are still on their way: sign out when they are saved.");
    if (!window.confirm(`Sign out ${this.campaign.inspector}?`)) return;
    await postJson("sign-out", {});
    window.location.assign("/sign-in");
  }

  async rename() {
    if (this.campaign.signs_in) return this.signOut();
    if (this.grading.outbox.unacked) return this.say("Votes are still on their way: change the name when they are saved.");
    const name = window.prompt("Who grades? Votes are kept under this name.", this.campaign.inspector)?.trim();
    if (!name || name === this.campaign.inspector) return;
    const { status, body } = await postJson("me", { name });
    if (status < 300) window.location.reload();
    else this.say(body?.detail ?? "The name was not accepted.");
  }
}
