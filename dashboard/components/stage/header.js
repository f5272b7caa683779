// The bar on top: campaign, order of the queue, where one stands, what is saved, who one is.

import { choice, h, keyCap, setPressed, setText } from "./dom.js";

const SHOWN = [["todo", "without a grade"], ["all", "all"], ["graded", "graded"], ["skipped", "skipped"]];

/** `other` : the page that shows the same queue another way: {href, action, title}. */
export function header({ campaign, actions, other }) {
  const order = choice({
    label: "Order of the queue", title: "Order of the queue (q)", testId: "order", value: "",
    options: campaign.orders.map(({ name, title }) => [name, title]), onChange: (value) => actions.reorder({ order: value }),
  });
  const show = choice({
    label: "Which candidates", title: "Which candidates the queue holds", testId: "show", value: "todo",
    options: SHOWN, onChange: (value) => actions.reorder({ show: value }),
  });
  const model = choice({
    label: "Network", title: "Network whose scores order the queue and whose maps are shown", testId: "model", value: "",
    options: [], onChange: (value) => actions.reorder({ model: value }),
  });
  const { session } = campaign;
  const place = h("span", { class: "place", "data-testid": "progress" });
  const bar = h("progress", { max: 1, value: 0, "aria-label": "share of candidates graded" });
  const scoring = h("span", { class: "scoring", "data-testid": "scoring", title: "Candidates that the network has scored so far" });
  const saved = h("span", { class: "saved", role: "status", "data-testid": "saved" });
  const refused = h("button", {
    class: "plain refused", title: "Votes that the server did not take, with its reasons: save them as a file",
    "data-testid": "refused", onclick: actions.saveRefused, hidden: true,
  });
  const person = h("button", { class: "plain", title: campaign.signs_in ? `${campaign.inspector}, ${campaign.role}: sign out (N)` : "Who grades: change the name", "data-testid": "inspector", onclick: actions.rename });
  const theme = h("button", { class: "plain", title: "Light or dark (y)", onclick: actions.theme, "aria-label": "Light or dark" }, "◐");
  const help = h("button", { class: "plain", title: "All keys (?)", onclick: actions.help, "data-testid": "help" }, keyCap("?"));
  const why = h("a", { href: "why", title: "What the network responds to (W)", "data-testid": "why" }, "why");
  const explore = h("a", { href: "explore", title: "The whole survey (S)", "data-testid": "explore" }, "explore");
  explore.hidden = why.hidden = campaign.reveal !== "open" || (campaign.signs_in && campaign.role === "inspector");
  const way = h("a", { href: other.href, title: other.title, "data-testid": `to-${other.href}`, onclick: (event) => { event.preventDefault(); actions[other.action](); } }, other.href);
  way.hidden = Boolean(session);
  const group = h("a", { href: "group", title: "Group sessions (G)", "data-testid": "group" }, "group");
  const jump = h("input", {
    type: "text", class: "jump", placeholder: "jump to id (j)", title: "Jump to an object id (j), then Enter",
    "aria-label": "Jump to an object id", "data-testid": "jump", spellcheck: "false", autocomplete: "off",
  });
  jump.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") actions.jumpTo(jump.value.trim());
    if (event.key === "Escape") jump.blur();
  });
  const filter = h("input", {
    type: "text", class: "filter", placeholder: "filter (/)", title: "Candidates that meet a condition (/), then Enter: p_lens > 0.9 and not graded",
    "aria-label": "Filter of the queue", "data-testid": "filter", spellcheck: "false", autocomplete: "off",
  });
  filter.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") actions.filter(filter.value.trim());
    if (event.key === "Escape") filter.blur();
  });
  const element = h("header", {},
    h("strong", { class: "brand" }, "LensVet"),
    h("span", { class: "campaign", title: campaign.title }, session ? session.title : campaign.title),
    ...(session ? [show.element] : [h("label", {}, h("span", { class: "dim" }, "queue"), order.element), show.element, model.element, filter, jump]),
    bar, place, scoring, h("span", { class: "spring" }), refused, saved, person, way, group, explore, why, theme, help);

  return {
    element,
    focusOrder: () => order.element.focus(),
    focusShow: () => show.element.focus(),
    focusModel: () => model.element.focus(),
    openExplore: () => { if (!explore.hidden) explore.click(); },
    openWhy: () => { if (!why.hidden) why.click(); },
    jump: () => { jump.value = ""; jump.focus(); },
    leaveJump: () => jump.blur(),
    focusFilter: () => { filter.focus(); filter.select(); },
    leaveFilter: () => filter.blur(),
    update({ queue, models, inspector, rate, outbox, refused: refusals }) {
      setText(refused, `${refusals} refused: save`);
      refused.hidden = !refusals;
      const { total, scored, graded, skipped, matching = 0 } = queue.progress;
      const isFiltered = Boolean(queue.settings.filter || queue.settings.selection);
      const counted = `${graded.toLocaleString("en")} of ${total.toLocaleString("en")} graded`;
      setText(place, [counted, isFiltered && `${matching.toLocaleString("en")} to see`, rate && `${rate.toLocaleString("en")} /h`].filter(Boolean).join(" · "));
      if (document.activeElement !== filter) filter.value = queue.settings.filter ?? "";
      filter.dataset.on = String(isFiltered);
      place.title = `${graded} graded, ${skipped} skipped, of ${total}`;
      bar.value = total ? graded / total : 0;
      const finished = !models.length || scored >= total || Boolean(session);
      setText(scoring, finished ? "" : `scoring… ${scored.toLocaleString("en")}`);
      scoring.hidden = finished;
      setText(saved, savedText(outbox));
      saved.title = outbox.offline ? "The server is away; votes are kept here and sent as soon as it is back" : "Votes that the server has stored";
      saved.dataset.state = outbox.offline ? "offline" : outbox.unacked ? "waiting" : "saved";
      setText(person, `${inspector} ▾`);
      updateModels(model, models, queue.settings.model);
      order.set(queue.settings.order);
      show.set(queue.settings.show);
    },
    setTheme: (dark) => setPressed(theme, !dark),
  };
}

function savedText({ unacked, offline, recovered }) {
  if (offline) return `${unacked} waiting: away`;
  if (unacked) return `${unacked} on the way`;
  return recovered ? "all saved again ●" : "saved ●";
}

function updateModels(model, models, current) {
  const entries = models.map(({ version, title }) => [version, title]);
  const key = JSON.stringify(entries);
  if (model.element.dataset.entries !== key) {
    model.fill(entries);
    model.element.dataset.entries = key;
  }
  model.element.hidden = entries.length < 2;
  model.set(current ?? entries[0]?.[0] ?? "");
}
