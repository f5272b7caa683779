// The form with which a lead opens a session.

import { postJson } from "../stage/api.js";
import { h, setText } from "../stage/dom.js";
import { field } from "../lists.js";

const lines = (text) => text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);

export function opening({ campaign, onOpened }) {
  const input = (name, properties) => h("input", { name, "data-testid": `new-${name}`, ...properties });
  const text = (name, properties) => h("textarea", { name, rows: 3, "data-testid": `new-${name}`, ...properties });
  const select = (name, options) => h("select", { name, "data-testid": `new-${name}` }, options.map(([value, words]) => h("option", { value }, words)));
  const fields = {
    title: input("title", { required: true, maxlength: 200, placeholder: "Best of Q1" }),
    quorum: input("quorum", { type: "number", min: 1, max: 100, value: 6 }),
    reveal: select("reveal", [["after-grade", "after one's own grade"], ["after-close", "when the session is closed"]]),
    choose: select("choose", [["score", "by score"], ["selection", "a selection kept on /explore"], ["ids", "these ids"], ["all", "the whole campaign"]]),
    selection: input("selection", { type: "text", maxlength: 40, placeholder: "its id" }),
    model: select("model", campaign.models.map(({ name, title }) => [name, title])),
    from: input("from", { type: "number", min: 0, max: 1, step: "any", value: 0.5 }),
    to: input("to", { type: "number", min: 0, max: 1, step: "any", value: 1 }),
    limit: input("limit", { type: "number", min: 1, value: 1000 }),
    ids: text("ids", { placeholder: "one id a line" }),
    known: select("known", [["none", "none"], ["catalogue", "from the catalogue's column class"], ["ids", "these ids"]]),
    share: input("share", { type: "number", min: 0, max: 100, step: "any", value: 10 }),
    knownIds: text("knownIds", { placeholder: "id, lens\nid, nonlens" }),
    repeats: input("repeats", { type: "number", min: 0, max: 50, step: "any", value: 5 }),
    seed: input("seed", { type: "number", min: 0, max: 4294967295, value: Math.floor(Math.random() * 2 ** 32) }),
    early: input("early", { type: "checkbox" }),
    feedback: input("feedback", { type: "checkbox" }),
    members: text("members", { placeholder: "one name a line; nobody means everybody" }),
    note: text("note", { maxlength: 10000, placeholder: "what inspectors should know" }),
    examples: text("examples", { placeholder: "A, id\nX, id" }),
  };
  const problem = h("p", { class: "problem wide", role: "alert", "data-testid": "new-problem" });
  const dependent = {
    model: field("network", fields.model), from: field("p_lens from", fields.from), to: field("p_lens to", fields.to), limit: field("at most", fields.limit),
    selection: field("selection", fields.selection), ids: field("ids", fields.ids, { class: "wide" }), share: field("known objects, % of all", fields.share), knownIds: field("known objects", fields.knownIds, { class: "wide" }),
  };
  const show = () => {
    const chosen = fields.choose.value;
    for (const name of ["model", "from", "to", "limit"]) dependent[name].hidden = chosen !== "score";
    for (const name of ["selection", "ids"]) dependent[name].hidden = chosen !== name;
    dependent.share.hidden = fields.known.value === "none";
    dependent.knownIds.hidden = fields.known.value !== "ids";
  };
  fields.choose.addEventListener("change", show);
  fields.known.addEventListener("change", show);
  const form = h("form", {},
    field("title", fields.title), field("independent grades for each object", fields.quorum), field("scores, maps and other votes show", fields.reveal),
    field("objects", fields.choose), dependent.model, dependent.from, dependent.to, dependent.limit, dependent.selection, dependent.ids,
    field("known lenses and non-lenses to mix in, unmarked", fields.known), dependent.share, dependent.knownIds,
    field("objects that come twice, %", fields.repeats), field("seed of the orders", fields.seed),
    field("", [fields.early, "retire clear ones before they have all grades"], { class: "check" }), field("", [fields.feedback, "training: say at once what known ones are"], { class: "check" }),
    field("inspectors", fields.members), field("note", fields.note), field("an example for each grade", fields.examples),
    h("div", { class: "row wide" }, h("button", { class: "main", "data-testid": "new-open" }, "open the session")), problem);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(problem, "");
    const { status, body } = await postJson("sessions", contentOf(fields)).catch(() => ({ status: 0 }));
    if (status !== 201) return setText(problem, body?.detail ?? "The server is away: no session was opened.");
    form.reset();
    show();
    details.open = false;
    onOpened();
  });
  const asked = new URLSearchParams(window.location.search).get("selection");
  if (asked) {
    fields.choose.value = "selection";
    fields.selection.value = asked;
  }
  show();
  const details = h("details", { open: Boolean(asked), class: "card", "data-testid": "new" }, h("summary", {}, "Open a session"), form);
  return details;
}

function contentOf(fields) {
  const number = (name) => Number(fields[name].value);
  const pairs = (name) => lines(fields[name].value).map((line) => line.split(",").map((part) => part.trim()));
  const selections = {
    score: () => ({ model: fields.model.value, p_lens_from: number("from"), p_lens_to: number("to"), limit: number("limit") }),
    selection: () => ({ selection: fields.selection.value.trim() }),
    ids: () => ({ ids: lines(fields.ids.value) }),
    all: () => ({ all: true }),
  };
  const known = { none: {}, catalogue: "catalogue", ids: Object.fromEntries(pairs("knownIds")) }[fields.known.value];
  return {
    settings: {
      title: fields.title.value, quorum: number("quorum"), reveal: fields.reveal.value, repeats: number("repeats") / 100, seed: number("seed"),
      early: fields.early.checked, feedback: fields.feedback.checked, members: lines(fields.members.value), note: fields.note.value,
      examples: Object.fromEntries(pairs("examples")),
    },
    selection: selections[fields.choose.value](),
    known,
    known_share: fields.known.value === "none" ? 0 : number("share") / 100,
  };
}
