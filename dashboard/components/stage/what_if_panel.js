// Under the picture while what-if is on: fill, bands and brush, or the simulated lens; and what to do with the result.

import { choice, h, keyCap, slider } from "./dom.js";
import { FILLS, LENS_RANGES } from "./what_if.js";

const ALL = "all";
const LENS_SLIDERS = [
  ["theta_e_arcsec", "θ_E", 0.05, "Einstein radius in arcsec ([ and ])", (value) => `${value.toFixed(2)}″`],
  ["mag_vis", "mag", 0.1, "Magnitude of the source in VIS, unlensed", (value) => value.toFixed(1)],
  ["vis_y", "colour", 0.1, "Colour VIS-Y of the source, from blue to red", (value) => value.toFixed(1)],
  ["offset", "off", 0.02, "How far the source is from the axis, in Einstein radii: 0 makes a ring", (value) => value.toFixed(2)],
  ["angle_deg", "angle", 5, "Where the source is, counter-clockwise from the right; the deflector turns with it", (value) => `${value.toFixed(0)}°`],
];

export function whatIfPanel({ actions, whatIf }) {
  const fill = choice({
    label: "Fill of hidden pixels", testId: "what-if-fill", value: whatIf.fill, options: FILLS.map((name) => [name, name]),
    title: "Hidden pixels become: the median of what is visible around, the level of the sky, or sky with its noise (g). In a galaxy's light, sky is a hole.",
    onChange: (value) => actions.experiment("setFill", value),
  });
  const bands = choice({
    label: "Bands in which pixels are hidden", testId: "what-if-bands", value: ALL, options: [], title: "Bands in which pixels are hidden (z)",
    onChange: (value) => actions.experiment("setBand", value === ALL ? null : value),
  });
  // In equal ratios: the narrow end is where the hand needs it fine.
  const brush = slider({
    label: "brush", title: "Radius of the brush ([ and ], or Shift and the wheel)", min: -3, max: 1.1, step: 0.05, value: Math.log(whatIf.radius),
    onInput: (value) => actions.experiment("setRadius", Math.exp(value)),
  });
  const size = h("span", { class: "tabular dim brush-size" });
  const lens = Object.fromEntries(LENS_SLIDERS.map(([name, label, step, title, written]) => {
    const [min, max] = LENS_RANGES[name];
    const control = slider({ label, title, min, max, step, value: whatIf.lensIs[name], onInput: (value) => actions.experiment("setLens", [name, value]) });
    return [name, { ...control, written, title }];
  }));
  const hiding = h("div", { class: "group" }, labelled("fill", fill.element), labelled("in", bands.element), brush.element, size);
  const injecting = h("div", { class: "group lens-sliders" }, Object.values(lens).map(({ element }) => element));
  const undo = button("u", "undo", "Take the last stroke, or the lens, back (u, Ctrl-Z)", "what-if-undo", () => actions.experiment("undo"));
  const keep = button("K", "keep", "Write what was hidden, and what the network then said, into the comment (K)", "what-if-keep", actions.keepExperiment);
  const element = h("div", { class: "row", role: "group", "aria-label": "What if", "data-testid": "what-if-panel", hidden: true },
    hiding, injecting, undo, keep);
  return {
    element,
    update() {
      element.hidden = !whatIf.isOn;
      if (!whatIf.isOn) return;
      hiding.hidden = whatIf.tool !== "hide";
      injecting.hidden = whatIf.tool !== "lens";
      updateBands(bands, whatIf);
      for (const [name, { element: control, set, written, title }] of Object.entries(lens)) {
        set(whatIf.lensIs[name]);
        control.title = `${title}: ${written(whatIf.lensIs[name])}`;
      }
      fill.set(whatIf.fill);
      brush.set(Math.log(whatIf.radius));
      size.textContent = `${whatIf.radius.toFixed(2)}″`;
      undo.disabled = !whatIf.canUndo;
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
