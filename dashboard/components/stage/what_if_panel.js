// Under the picture while pixels are being hidden: fill, bands, brush, and what to do with the result.

import { choice, h, keyCap, slider } from "./dom.js";
import { FILLS } from "./what_if.js";

const ALL = "all";

export function whatIfPanel({ actions, whatIf }) {
  const fill = choice({
    label: "Fill of hidden pixels", testId: "what-if-fill", value: whatIf.fill, options: FILLS.map((name) => [name, name]),
    title: "Hidden pixels become: the median of what is visible around, the level of the sky, or sky with its noise (g). In a galaxy's light, sky is a hole.",
    onChange: (value) => actions.experiment("setFill", value),
  });
  const bands = choice({
    label: "Bands in which pixels are hidden", testId: "what-if-bands", value: ALL, options: [], title: "Bands in which pixels are hidden (e)",
    onChange: (value) => actions.experiment("setBand", value === ALL ? null : value),
  });
  // In equal ratios: the narrow end is where the hand needs it fine.
  const brush = slider({
    label: "brush", title: "Radius of the brush ([ and ], or Shift and the wheel)", min: -3, max: 1.1, step: 0.05, value: Math.log(whatIf.radius),
    onInput: (value) => actions.experiment("setRadius", Math.exp(value)),
  });
  const size = h("span", { class: "tabular dim brush-size" });
  const undo = button("u", "undo", "Take the last stroke back (u, Ctrl-Z)", "what-if-undo", () => actions.experiment("undo"));
  const keep = button("K", "keep", "Write what was hidden, and what the network then said, into the comment (K)", "what-if-keep", actions.keepExperiment);
  const element = h("div", { class: "row", role: "group", "aria-label": "Hide pixels", "data-testid": "what-if-panel", hidden: true },
    labelled("fill", fill.element), labelled("in", bands.element), brush.element, size, undo, keep);
  return {
    element,
    update() {
      element.hidden = !whatIf.isOn;
      if (!whatIf.isOn) return;
      updateBands(bands, whatIf);
      fill.set(whatIf.fill);
      brush.set(Math.log(whatIf.radius));
      size.textContent = `${whatIf.radius.toFixed(2)}″`;
      undo.disabled = !whatIf.strokes.length;
      keep.disabled = whatIf.note() === null;
    },
  };
}

function updateBands(bands, { bandChoices, band }) {
  const key = bandChoices.join();
  if (bands.element.dataset.entries !== key) {
    bands.fill(bandChoices.map((name) => (name === null ? [ALL, "all bands"] : [name, `${name} only`])));
    bands.element.dataset.entries = key;
  }
  bands.set(band ?? ALL);
}

const labelled = (words, element) => h("label", { class: "slider" }, h("span", {}, words), element);

function button(key, words, title, testId, act) {
  return h("button", { title, "data-testid": testId, onclick: act }, keyCap(key), words);
}
