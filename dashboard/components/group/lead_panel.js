// What a lead sees of a session: who is here, how far people agree, what is disputed, what each inspector is like.

import { getJson, postJson } from "../stage/api.js";
import { h, setText } from "../stage/dom.js";
import { percent, table, written } from "../lists.js";

const STEPS = { open: [["pause", "pause"], ["close", "close"]], paused: [["resume", "resume"], ["close", "close"]], closed: [["reopen", "reopen"]] };
const REFRESH_MS = 6000;

export class LeadPanel {
  constructor({ session, onChanged }) {
    Object.assign(this, { id: session.session_id, path: `sessions/${encodeURIComponent(session.session_id)}`, onChanged });
    this.steps = h("span", { class: "row" });
    this.more = h("button", { "data-testid": "more", "aria-expanded": "false", onclick: () => this.toggle() }, "results");
    this.problem = h("span", { class: "problem", role: "alert" });
    this.body = h("div", { hidden: true, "data-testid": "results" });
    this.element = h("div", {}, h("div", { class: "row" }, this.steps, this.more, h("a", { class: "button", href: `/api/v1/${this.path}/results?format=csv` }, "results as CSV"), this.problem), this.body);
  }

  update({ state }) {
    if (this.state !== state) {
      this.state = state;
      this.steps.replaceChildren(...STEPS[state].map(([step, words]) => h("button", { "data-testid": step, onclick: () => this.step(step) }, words)));
    }
    if (!this.body.hidden && Date.now() - (this.shownAt ?? 0) > REFRESH_MS && !this.body.contains(document.activeElement)) this.load();
  }

  async step(step) {
    if (step === "close" && !window.confirm("Close the session? Nobody gets new candidates; it can be opened again.")) return;
    const { status, body } = await postJson(`${this.path}/step`, { step }).catch(() => ({ status: 0 }));
    setText(this.problem, status === 200 ? "" : body?.detail ?? "The server is away.");
    this.onChanged();
  }

  toggle() {
    this.body.hidden = !this.body.hidden;
    this.more.setAttribute("aria-expanded", String(!this.body.hidden));
    if (!this.body.hidden) this.load();
  }

  async load() {
    this.shownAt = Date.now();
    try {
      const [told, { rows }, { reports }] = await Promise.all([
        getJson(this.path), getJson(`${this.path}/results`, { disputed: true }), getJson(`${this.path}/reports`),
      ]);
      this.body.replaceChildren(
        h("p", { class: "small" }, ...agreement(told)),
        h("div", { class: "columns" }, h("div", {}, h("h3", {}, "People"), people(told.people, reports)), h("div", {}, h("h3", {}, "Completeness and purity of the mean grade"), thresholds(told.summary.thresholds))),
        h("h3", {}, `To discuss: opinions two grades apart or more (${rows.length})`), this.disputed(rows),
      );
    } catch (error) {
      setText(this.problem, error.message);
    }
  }

  disputed(rows) {
    if (!rows.length) return h("p", { class: "dim small" }, "None of those that you may know of yet. If you are in the session, first grade them yourself.");
    const link = ({ ticket, object_id: objectId }) => h("a", { href: `/vet?session=${encodeURIComponent(this.id)}&object=${encodeURIComponent(ticket)}` }, objectId);
    return table([
      ["object", link], ["A", (row) => row.n_A, true], ["B", (row) => row.n_B, true], ["C", (row) => row.n_C, true], ["X", (row) => row.n_X, true],
      ["mean", (row) => `${written(row.mean)} ± ${written(row.standard_error)}`, true], ["Dawid-Skene", (row) => `${written(row.dawid_skene_mean)} ± ${written(row.dawid_skene_sd)}`, true],
      ["SWAP p", (row) => (row.swap_p_lens == null ? "" : row.swap_p_lens.toPrecision(2)), true], ["known", (row) => row.known], ["final", (row) => row.final_grade && h("b", { class: "letter", "data-grade": row.final_grade }, row.final_grade)], ["why", (row) => row.final_comment],
    ], rows.slice(0, 200));
  }
}

function agreement({ summary, known }) {
  if (!summary?.alpha) return ["No grades yet."];
  const { alpha, disputed, grades, reveal_effect: effect } = summary;
  const words = [];
  words.push(alpha.value == null ? "Too few objects with two grades to say how far people agree." : `Krippendorff's alpha ${written(alpha.value)} (${written(alpha.low)} to ${written(alpha.high)}).`);
  words.push(` Means: ${["A", "B", "C", "X"].map((grade) => `${grades[grade]} ${grade}`).join(", ")}; ${disputed} disputed; ${known} known objects mixed in.`);
  if (effect?.revised) words.push(` After the reveal ${effect.revised} second grades, ${effect.changed} changed (${effect.up} up, ${effect.down} down), ${effect.towards_model} towards what the network says.`);
  return words;
}

/** A row for each person: `present` says by name how many grades, and when they were last here. */
export function people(present, reports) {
  const names = Object.keys(present ?? {}).sort();
  if (!names.length) return h("p", { class: "dim small" }, "Nobody has come yet.");
  const away = ({ away_s: seconds }) => (seconds == null ? "not since the server started" : seconds < 10 ? "here" : seconds < 3600 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`);
  return table([
    ["inspector", (name) => name], ["last here", (name) => away(present[name])], ["grades", (name) => present[name].grades, true],
    ["known lenses seen", (name) => percent(reports[name]?.lenses_found)], ["non-lenses told", (name) => percent(reports[name]?.non_lenses_told)],
    ["bias", (name) => (reports[name]?.bias?.value == null ? "" : `${reports[name].bias.value > 0 ? "+" : ""}${written(reports[name].bias.value)} ± ${written(reports[name].bias.standard_error)}`), true],
    ["same on repeats", (name) => percent(reports[name]?.same_on_repeats)], ["s per grade", (name) => written(reports[name]?.seconds?.median, 1), true],
  ], names, { "data-testid": "people" });
}

function thresholds(told) {
  if (!told) return h("p", { class: "dim small" }, "Not before known lenses and non-lenses, and others, have grades.");
  const { lenses, rows } = told;
  const sentence = `About ${written(lenses.value, 0)} lenses (${written(lenses.low, 0)} to ${written(lenses.high, 0)}) are among the objects, if known ones are like them.`;
  return h("div", {}, h("p", { class: "small" }, sentence), table([
    ["mean from", (row) => written(row.threshold, 1), true], ["objects", (row) => written(row.selected, 0), true], ["completeness", (row) => percent(row.completeness)], ["purity", (row) => percent(row.purity)], ["non-lenses let through", (row) => percent(row.false_positives)],
  ], rows));
}
