// Under the picture: stretch and limits, overlays, position.

import { coloursFor, gradient } from "./colourmaps.js";
import { choice, h, keyCap, setPressed, setText, slider } from "./dom.js";
import { STRETCHES, mapScale } from "./pixels.js";
import { formatFlux } from "./sky.js";
import { whatIfPanel } from "./what_if_panel.js";

const BUTTONS = 3; // overlays beyond these are in a drop-down
const DIGITS = 9;

export function toolbar({ actions, settings, whatIf }) {
  const stretch = choice({
    label: "Stretch", title: "Stretch (r)", testId: "stretch", value: settings.stretch,
    options: STRETCHES.map((name) => [name, name]), onChange: (value) => actions.set("stretch", value),
  });
  const sliders = {
    black: slider({ label: "black", title: "Black point, in units of the sky's scatter ({ and })", min: -3, max: 20, step: 0.1, value: settings.black, onInput: (v) => actions.set("black", v) }),
    white: slider({ label: "white", title: "White point ([ and ])", min: -0.8, max: 0.8, step: 0.01, value: settings.white, onInput: (v) => actions.set("white", v) }),
    softening: slider({ label: "Q", title: "Softening Q of the asinh and log stretch (< and >)", min: 1, max: 40, step: 0.5, value: settings.softening, onInput: (v) => actions.set("softening", v) }),
    opacity: slider({ label: "opacity", title: "Opacity of the overlay (; and ')", min: 0, max: 1, step: 0.05, value: settings.opacity, onInput: (v) => actions.set("opacity", v) }),
  };
  const overlays = h("div", { class: "group", role: "group", "aria-label": "Overlays" });
  const toggles = Object.fromEntries([
    ["position", "position", "p", "Predicted position and its uncertainty"],
    ["contours", "contours", "d", "Contours at 25, 50, 75 and 90 % of the map's colour scale"],
    ["smooth", "smooth", "w", "Smooth between pixels"],
    ["inverted", "invert", "n", "Dark on light, for single bands"],
  ].map(([name, label, key, title]) => [name, h("button", {
    title: `${title} (${key})`, "data-testid": name, onclick: () => actions.toggle(name),
  }, keyCap(key), label)]));
  const tools = Object.fromEntries([
    ["hide", "h", "hide", "Hide pixels with a brush"], ["lens", "e", "add lens", "Add a simulated lens"],
  ].map(([tool, key, label, title]) => [tool, h("button", {
    class: "chip", title: `${title} and see what the network then says (${key}); again, or Esc: all is as it was`, "data-testid": `what-if-${tool}`,
    onclick: (event) => {
      event.currentTarget.blur(); // the space bar paints now
      actions.whatIfTool(tool);
    },
  }, keyCap(key), label)]));
  const look = h("div", { class: "row" }, stretch.element, sliders.black.element, sliders.white.element, sliders.softening.element, toggles.inverted, toggles.smooth);
  const panel = whatIfPanel({ actions, whatIf });
  const legend = h("div", { class: "legend", "data-testid": "legend" });
  const element = h("div", { class: "toolbar" },
    look, panel.element,
    h("div", { class: "row" }, overlays, toggles.position, toggles.contours),
    h("div", { class: "line" }, sliders.opacity.element, legend, h("span", { class: "spring" }), Object.values(tools)));
  const buttons = new Map();
  const more = choice({
    label: "More overlays", title: `More overlays (${BUTTONS + 1}–${DIGITS} switch the first of them)`, testId: "overlay-more", value: "",
    options: [], onChange: (name) => actions.overlay(name || more.shown),
  });

  return {
    element,
    update({ settings: now, methods, withheld, explanation }) {
      stretch.set(now.stretch);
      for (const [name, control] of Object.entries(sliders)) control.set(now[name]);
      for (const [name, button] of Object.entries(toggles)) setPressed(button, now[name]);
      look.hidden = whatIf.isOn;
      panel.update();
      for (const [tool, button] of Object.entries(tools)) {
        setPressed(button, whatIf.isOn && whatIf.tool === tool);
        button.disabled = withheld;
      }
      updateOverlays(overlays, buttons, more, { methods, withheld, active: explanation.method, actions });
      updateLegend(legend, explanation);
    },
  };
}

function updateOverlays(group, buttons, more, { methods, withheld, active, actions }) {
  const wanted = methods.map(({ name }) => name).join();
  if (group.dataset.methods !== wanted) {
    buttons.clear();
    const overlays = methods.slice(0, BUTTONS).map((method, index) => {
      const button = h("button", {
        title: `${method.shows} (${index + 1})`, "data-testid": `overlay-${method.name}`, onclick: () => actions.overlay(method.name),
      }, keyCap(String(index + 1)), method.title);
      buttons.set(method.name, button);
      return button;
    });
    const others = methods.slice(BUTTONS).map(({ name, title }, index) => [name, index < DIGITS - BUTTONS ? `${index + BUTTONS + 1} ${title}` : title]);
    more.fill([["", "more…"], ...others]);
    more.element.hidden = !others.length;
    group.replaceChildren(...overlays, more.element);
    group.dataset.methods = wanted;
  }
  for (const [name, button] of buttons) {
    setPressed(button, name === active);
    button.disabled = withheld;
  }
  more.shown = active && !buttons.has(active) ? active : "";
  if (!more.element.matches(":focus")) more.set(more.shown); // who walks through it with arrows is not thrown back
  more.element.disabled = withheld;
  if (!methods.length) setText(group, "no network here can be asked for maps");
}

function updateLegend(legend, { method, map, problem, loading }) {
  const words = !method ? "" : problem ?? (loading && !map ? `${method}: being computed…` : null);
  const key = JSON.stringify([method, words, map?.object_id, map?.model_version, map?.quality]);
  if (legend.dataset.key === key) return;
  legend.dataset.key = key;
  if (!map || words !== null) {
    legend.replaceChildren(words ?? "");
    legend.classList.toggle("problem", Boolean(problem));
    return;
  }
  legend.classList.remove("problem");
  const peak = mapScale(map);
  legend.replaceChildren(
    h("span", { class: "scale", style: `background: ${gradient(coloursFor(map.signed))}` }),
    h("span", { class: "tabular" }, map.quality === "coarse" ? "coarse, refining…" : `${map.signed ? `−${inBrief(peak)} … 0 … +` : "0 … "}${inBrief(peak)} ${map.unit ?? ""}`));
}

const inBrief = (value) => (value >= 0.01 && value < 100 ? value.toPrecision(2) : formatFlux(value));
