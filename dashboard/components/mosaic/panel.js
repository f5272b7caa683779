// Beside the grid: pages, what the cell in the frame is, grades, flags, how cells look, overlays.

import { choice, h, keyCap, setPressed, setText, slider } from "../stage/dom.js";
import { STRETCHES } from "../stage/pixels.js";
import { COMPOSITE } from "../stage/scene.js";
import { writtenP } from "../stage/words.js";

export const SIDES = [3, 20];
const CLICKS = [null, "A", "B", "C", "X"];

export function panel({ campaign, actions, settings }) {
  const parts = [pager(actions), focus(campaign, actions), decision(campaign, actions), look(campaign, actions, settings), overlays(actions, settings)];
  const element = h("aside", { class: "panel" }, parts.map((part) => part.element));
  // A click on a button leaves the keys to the grid: the space bar turns the page, Enter opens the stage.
  element.addEventListener("mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });
  return {
    element,
    focusPage: parts[0].focusPage,
    loupe: parts[1].loupe,
    showChord: parts[2].showChord,
    update: (state) => parts.forEach((part) => part.update(state)),
  };
}

export const nextClick = (click) => CLICKS[(CLICKS.indexOf(click) + 1) % CLICKS.length];

function button(label, key, title, onclick, properties = {}) {
  return h("button", { title: `${title} (${key})`, onclick, ...properties }, keyCap(key), label);
}

function pager(actions) {
  const page = h("input", { type: "text", class: "page-number tabular", inputmode: "numeric", title: "Go to a page (g), then Enter", "aria-label": "Page", "data-testid": "page" });
  page.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") actions.goToPage(Number(page.value));
    if (["Enter", "Escape"].includes(event.key)) page.blur();
  });
  const of = h("span", { class: "tabular dim", "data-testid": "pages" });
  const range = h("span", { class: "tabular dim", "data-testid": "range" });
  const size = h("span", { class: "tabular", "data-testid": "size" });
  const element = h("section", {},
    h("div", { class: "line" },
      h("button", { title: "Previous page (PgUp)", "aria-label": "Previous page", "data-testid": "previous-page", onclick: () => actions.turn(-1) }, "◂"),
      h("span", { class: "dim" }, "page"), page, of,
      h("button", { title: "Next page (PgDn or space)", "aria-label": "Next page", "data-testid": "next-page", onclick: () => actions.turn(1) }, "▸"),
      button("anew", "l", "List anew: what has been graded leaves it", () => actions.renew(), { "data-testid": "renew" }),
      h("span", { class: "spring" }),
      h("button", { title: "Fewer cells (,)", "aria-label": "Fewer cells", "data-testid": "fewer", onclick: () => actions.resize(-1) }, "−"), size,
      h("button", { title: "More cells (.)", "aria-label": "More cells", "data-testid": "more", onclick: () => actions.resize(1) }, "+")),
    range);
  return {
    element,
    focusPage: () => { page.focus(); page.select(); },
    update({ pages, settings, decided }) {
      if (document.activeElement !== page) page.value = String(pages.number);
      setText(of, `of ${pages.count.toLocaleString("en")}`);
      setText(size, `${settings.side} × ${settings.side}`);
      const { offset, entries } = pages.current;
      setText(range, entries.length ? `${(offset + 1).toLocaleString("en")}–${(offset + entries.length).toLocaleString("en")} of ${pages.matching.toLocaleString("en")} listed · ${decided} of ${entries.length} decided` : "nothing is listed");
    },
  };
}

function focus(campaign, actions) {
  const name = h("h1", { "data-testid": "object-id" });
  const rank = h("span", { class: "dim tabular", title: "Place in this order of the queue" });
  const verdict = h("span", { class: "dim tabular", "data-testid": "verdict" });
  const loupe = h("canvas", { width: 1, height: 1, role: "img", "aria-label": "the cell in the frame, larger" });
  const open = button("look closer", "Enter", "Open it on the stage; Esc comes back here", () => actions.open(), { "data-testid": "open" });
  return {
    element: h("section", { class: "focus" }, h("div", { class: "line" }, name, h("span", { class: "spring" }), rank), h("div", { class: "line" }, verdict, h("span", { class: "spring" }), open), h("div", { class: "loupe" }, loupe)),
    loupe,
    update({ entry, verdict: found, model, withheld }) {
      setText(name, entry?.object_id ?? "");
      name.title = entry?.object_id ?? "";
      setText(rank, entry?.rank ? `no. ${entry.rank.toLocaleString("en")}` : "");
      open.disabled = !entry;
      const score = found?.p_lens == null ? "not scored" : `${model?.prior == null ? "softmax" : "p_lens"} ${writtenP(found.p_lens)} ${model?.title ?? ""}`;
      setText(verdict, withheld ? "scores and maps: not in a mosaic while grading is blind" : entry && model ? score : "");
    },
  };
}

function decision(campaign, actions) {
  const grades = campaign.grades.map(({ id, label }) => h("button", {
    class: "grade", "data-grade": id, "data-testid": `grade-${id}`, title: `${id}: ${label} (${id.toLowerCase()}), for all that are selected, else for the cell in the frame`, onclick: () => actions.grade(id),
  }, keyCap(id.toLowerCase()), label));
  const flags = h("div", { class: "chips" }, h("span", {}, keyCap("f"), "flag"), campaign.flags.map(({ id, label, key, definition }) => h("button", {
    class: "chip", "data-testid": `flag-${id}`, title: `${definition ?? label} (f ${key})`, onclick: () => actions.choose("flag", id),
  }, keyCap(key), label)));
  const clicks = CLICKS.map((click) => h("button", {
    class: "chip", "data-testid": `click-${click ?? "select"}`, title: click ? `A click grades ${click} (k)` : "A click selects (k)", onclick: () => actions.setClick(click),
  }, click ?? "selects"));
  const undo = button("undo", "u", "Take the last decision back, of a range as a whole", () => actions.undo(), { "data-testid": "undo" });
  const selected = h("span", { class: "dim tabular", "data-testid": "selected" });
  const element = h("section", { class: "decision" },
    h("div", { class: "grades" }, grades),
    h("div", { class: "row" }, button("skip", "s", "Skip for now", () => actions.skip(), { "data-testid": "skip" }), undo, button("select the rest", "e", "Select every cell without a grade", () => actions.selectRest(), { "data-testid": "select-rest" }), button("all", "E", "Select every cell", () => actions.selectAll(), { "data-testid": "select-all" }), selected),
    flags, h("div", { class: "chips" }, h("span", {}, keyCap("k"), "a click"), clicks));
  return {
    element,
    showChord: (name) => flags.classList.toggle("listening", name === "flag"),
    update({ selection, click }) {
      setText(selected, selection.size ? `${selection.size} selected` : "");
      clicks.forEach((chip, index) => setPressed(chip, CLICKS[index] === click));
    },
  };
}

function look(campaign, actions, settings) {
  const view = choice({
    label: "Band or composite", title: "Band or composite (v)", testId: "view", value: settings.view,
    options: [[COMPOSITE, "composite"], ...campaign.bands.map((band) => [band, band])], onChange: (value) => actions.set("view", value),
  });
  const stretch = choice({
    label: "Stretch", title: "Stretch (r)", testId: "stretch", value: settings.stretch,
    options: STRETCHES.map((name) => [name, name]), onChange: (value) => actions.set("stretch", value),
  });
  const sliders = {
    black: slider({ label: "black", title: "Black point, in units of the sky's scatter ({ and })", min: -3, max: 20, step: 0.1, value: settings.black, onInput: (v) => actions.set("black", v) }),
    white: slider({ label: "white", title: "White point ([ and ])", min: -0.8, max: 0.8, step: 0.01, value: settings.white, onInput: (v) => actions.set("white", v) }),
    softening: slider({ label: "Q", title: "Softening Q of the asinh and log stretch (< and >)", min: 1, max: 40, step: 0.5, value: settings.softening, onInput: (v) => actions.set("softening", v) }),
  };
  const zoom = h("span", { class: "tabular dim", "data-testid": "zoom" });
  const toggles = { smooth: button("smooth", "w", "Smooth between pixels", () => actions.toggle("smooth")), inverted: button("invert", "n", "Dark on light, for single bands", () => actions.toggle("inverted")) };
  return {
    element: h("section", {}, h("div", { class: "row" }, view.element, stretch.element,
      h("button", { title: "Farther (-)", "aria-label": "Farther", onclick: () => actions.zoom(-1) }, "−"), zoom, h("button", { title: "Closer: the middle of each cutout (+)", "aria-label": "Closer", "data-testid": "closer", onclick: () => actions.zoom(1) }, "+"),
      Object.values(toggles), h("button", { title: "Whole cutouts, automatic limits (0)", onclick: () => actions.resetView() }, keyCap("0"), "reset")),
    h("div", { class: "row" }, Object.values(sliders).map((one) => one.element))),
    update({ settings: now }) {
      view.set(campaign.bands.includes(now.view) ? now.view : COMPOSITE);
      stretch.set(now.stretch);
      for (const [name, control] of Object.entries(sliders)) control.set(now[name]);
      for (const [name, toggle] of Object.entries(toggles)) setPressed(toggle, now[name]);
      setText(zoom, `${Number(now.zoom.toFixed(1))}×`);
    },
  };
}

function overlays(actions, settings) {
  const toggles = {
    bars: button("score bars", "z", "Score of each cell as a thin bar", () => actions.toggle("bars"), { "data-testid": "bars" }),
    position: button("positions", "p", "Predicted positions and their uncertainty", () => actions.toggle("position"), { "data-testid": "position" }),
  };
  const method = choice({ label: "Overlay", title: "Overlay of all cells, where its maps are stored (1–9)", testId: "overlay", value: "", options: [["", "no overlay"]], onChange: (name) => actions.overlay(name || null) });
  const opacity = slider({ label: "opacity", title: "Opacity of the overlay (; and ')", min: 0, max: 1, step: 0.05, value: settings.opacity, onInput: (v) => actions.set("opacity", v) });
  const caption = h("p", { class: "dim", "data-testid": "caption" });
  const element = h("section", {}, h("div", { class: "row" }, Object.values(toggles), method.element, opacity.element), caption);
  return {
    element,
    update({ settings: now, methods, withheld, captionWords }) {
      element.hidden = withheld || !methods;
      const names = JSON.stringify(methods.map(({ name }) => name));
      if (element.dataset.methods !== names) {
        element.dataset.methods = names;
        method.fill([["", "no overlay"], ...methods.map(({ name, title }, index) => [name, index < 9 ? `${index + 1} ${title}` : title])]);
      }
      if (!method.element.matches(":focus")) method.set(methods.some(({ name }) => name === now.method) ? now.method : "");
      for (const [name, toggle] of Object.entries(toggles)) setPressed(toggle, now[name]);
      opacity.set(now.opacity);
      setText(caption, captionWords);
    },
  };
}
