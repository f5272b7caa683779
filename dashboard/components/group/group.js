// /group: the sessions of a campaign. An inspector reads the rubric and goes on to the stage; a lead runs them here.

import { getJson } from "../stage/api.js";
import { h, keyCap, setText } from "../stage/dom.js";
import { isTyping } from "../stage/keys.js";
import { bar, toggleTheme } from "../lists.js";
import { LeadPanel, people } from "./lead_panel.js";
import { opening } from "./opening.js";
import { rubric } from "./rubric.js";

const POLL_MS = 2000;

/** Build the page in `root`. Returns what removes it. */
export async function mount(root) {
  const campaign = await getJson("campaign");
  const page = new GroupPage(root, campaign);
  await page.poll();
  return () => page.destroy();
}

class GroupPage {
  constructor(root, campaign) {
    this.campaign = campaign;
    this.isLead = campaign.role !== "inspector";
    this.cards = new Map();
    this.list = h("div", { "data-testid": "sessions" });
    this.empty = h("p", { class: "dim", hidden: true }, this.isLead ? "No session yet. Open one below." : "No session is open for you now. This page shows it as soon as a lead opens one.");
    this.problem = h("p", { class: "problem", role: "alert", "data-testid": "problem" });
    const form = this.isLead ? opening({ campaign, onOpened: () => this.poll() }) : null;
    this.root = h("div", { class: "page" }, bar(campaign, "/group"), this.problem, this.empty, this.list, form);
    root.replaceChildren(this.root);
    this.onKey = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      if (event.key === "y") toggleTheme();
      if (event.key === "v") this.root.querySelector("a.main")?.click();
    };
    document.addEventListener("keydown", this.onKey);
  }

  destroy() {
    clearTimeout(this.timer);
    document.removeEventListener("keydown", this.onKey);
    this.root.remove();
  }

  async poll() {
    clearTimeout(this.timer);
    try {
      const { sessions } = await getJson("sessions");
      this.empty.hidden = sessions.length > 0;
      for (const session of sessions) this.cardOf(session).update(session);
      // Newest first, without moving what is there.
      sessions.forEach(({ session_id: id }, index) => {
        const { element } = this.cards.get(id);
        if (this.list.children[index] !== element) this.list.insertBefore(element, this.list.children[index] ?? null);
      });
      setText(this.problem, "");
    } catch (error) {
      if (error.status === 401) window.location.assign("/sign-in?next=/group");
      setText(this.problem, error.message);
    }
    this.timer = setTimeout(() => this.poll(), POLL_MS);
  }

  cardOf(session) {
    if (!this.cards.has(session.session_id)) this.cards.set(session.session_id, card(session, this.campaign, this.isLead, () => this.poll()));
    return this.cards.get(session.session_id);
  }
}

function card(session, campaign, isLead, onChanged) {
  const id = encodeURIComponent(session.session_id);
  const state = h("span", { class: "state", "data-testid": "state" });
  const go = h("a", { class: "button main", href: `/vet?session=${id}`, "data-testid": "go", title: "To the stage (v)" });
  const mine = h("span", { class: "dim" });
  const decided = h("span", { class: "dim", "data-testid": "decided" });
  const share = h("progress", { max: 1, value: 0, "aria-label": "share of objects decided" });
  const presenting = h("span", { class: "state", "data-state": "open", hidden: true });
  const body = h("div", {});
  const panel = isLead ? new LeadPanel({ session, onChanged }) : null;
  const own = isLead ? null : new OwnReport(session, campaign);
  rubric(session, campaign).then((element) => body.prepend(element), () => {});
  const element = h("section", { class: "card", "data-session": session.session_id },
    h("div", { class: "row" }, h("h2", {}, session.title), state, presenting, h("span", { class: "spring" }), mine, go),
    h("div", { class: "row small" }, share, decided), body, own?.element, panel?.element);
  return {
    element,
    update(now) {
      state.dataset.state = now.state;
      setText(state, now.state);
      presenting.hidden = !now.presenting;
      setText(presenting, `presented now, ${now.followers} follow`);
      const { objects, decided: done, grades, people } = now.progress;
      share.value = objects ? done / objects : 0;
      setText(decided, `${done.toLocaleString("en")} of ${objects.toLocaleString("en")} decided · ${grades.toLocaleString("en")} grades by ${people === 1 ? "one person" : `${people} people`} · ${now.quorum} grades each · scores and other votes ${now.reveal === "after-grade" ? "after your grade" : "when the session is closed"}`);
      setText(mine, now.is_member ? `${now.mine.graded.toLocaleString("en")} graded by you, ${now.mine.left.toLocaleString("en")} left` : "you are not in it");
      const words = !now.is_member ? "look" : now.state !== "open" ? "look back" : now.mine.graded ? "go on" : "begin";
      if (go.dataset.words !== words) {
        go.dataset.words = words;
        go.replaceChildren(keyCap("v"), words);
      }
      panel?.update(now);
      own?.update(now);
    },
  };
}

/** What an inspector was like, told to nobody but the inspector and leads: when it gives nothing away any more. */
class OwnReport {
  constructor(session, campaign) {
    Object.assign(this, { session, campaign, element: h("div", { "data-testid": "report" }) });
  }

  async update({ state, feedback, mine }) {
    const version = state === "closed" || feedback ? `${state} ${mine.graded}` : null;
    if (version === this.version || !mine.graded) return;
    this.version = version;
    this.element.replaceChildren();
    if (!version) return;
    const { reports } = await getJson(`sessions/${encodeURIComponent(this.session.session_id)}/reports`).catch(() => ({ reports: {} }));
    const { inspector } = this.campaign;
    if (!reports[inspector]) return;
    this.element.replaceChildren(h("h3", {}, "You, in this session"), people({ [inspector]: { grades: reports[inspector].grades, away_s: 0 } }, reports));
  }
}
