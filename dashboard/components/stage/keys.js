// Every key and what it does, in one table: the handler, the help sheet and the tooltips read it.

/** [keys, what it does, action, argument]; grouped as the help sheet shows them. */
export const KEYS = [
  ["Grade", [
    [["a"], "A: sure lens", "grade", "A"],
    [["b"], "B: probable lens", "grade", "B"],
    [["c"], "C: possible lens", "grade", "C"],
    [["x"], "X: not a lens", "grade", "X"],
    [["s"], "skip for now", "skip"],
    [["u"], "undo the last decision", "undo"],
  ]],
  ["Say more (then a letter)", [
    [["k"], "contaminant class…", "chord", "contaminant"],
    [["t"], "tag…", "chord", "tag"],
    [["f"], "flag: what the network got wrong…", "chord", "flag"],
    [["m"], "comment (Esc leaves it)", "comment"],
    [["l"], "mark the lens", "mark", "lens"],
    [["i"], "mark an image of the source", "mark", "image"],
    [["o"], "mark something else", "mark", "other"],
    [["Backspace"], "remove the last mark", "unmark"],
  ]],
  ["Walk", [
    [["ArrowRight", "ArrowDown"], "next candidate", "forward"],
    [["ArrowLeft", "ArrowUp"], "previous candidate", "back"],
    [["Home"], "on to the next one without a grade", "resume"],
    [["j"], "jump to an id", "jump"],
    [["/"], "filter: p_lens > 0.9 and not graded, then Enter", "focusFilter"],
    [["q"], "order of the queue: arrows, then Enter", "focusOrder"],
    [["Q"], "which candidates: arrows, then Enter", "focusShow"],
    [["M"], "network: arrows, then Enter", "focusModel"],
  ]],
  ["Look", [
    [["v"], "next band or composite", "cycleView", 1],
    [["V"], "previous band or composite", "cycleView", -1],
    [[" "], "blink through the bands", "blink"],
    [["r"], "stretch: asinh, log, sqrt, linear", "cycleStretch"],
    [["]"], "brighter", "adjust", ["white", -0.05]],
    [["["], "fainter", "adjust", ["white", 0.05]],
    [["}"], "darker sky", "adjust", ["black", 0.5]],
    [["{"], "lighter sky", "adjust", ["black", -0.5]],
    [[">"], "softening Q up", "adjust", ["softening", 2]],
    [["<"], "softening Q down", "adjust", ["softening", -2]],
    [["n"], "invert grey", "toggle", "inverted"],
    [["w"], "smooth or square pixels", "toggle", "smooth"],
    [["+", "="], "zoom in", "zoomIn"],
    [["-"], "zoom out", "zoomOut"],
    [["0"], "whole cutout, automatic limits", "resetView"],
  ]],
  ["Why", [
    [["1"], "first overlay (1–9)", "overlayNumber", 0],
    [["p"], "predicted position", "toggle", "position"],
    [["h"], "what if: hide pixels with a brush", "whatIfTool", "hide"],
    [["e"], "what if: add a simulated lens", "whatIfTool", "lens"],
    [["d"], "contours", "toggle", "contours"],
    [[";"], "overlay fainter", "adjust", ["opacity", -0.1]],
    [["'"], "overlay stronger", "adjust", ["opacity", 0.1]],
  ]],
  ["Together (in a group session)", [
    [["G"], "to the sessions: /group", "group"],
    [["L"], "follow who presents, or look on your own", "follow"],
    [["P"], "present to everybody (leads)", "present"],
    [["R"], "close or open the round (leads)", "round"],
  ]],
  ["Page", [
    [["y"], "light or dark", "theme"],
    [["Y"], "copy id and position", "copy"],
    [["N"], "who grades", "rename"],
    [["T"], "many at once: /mosaic", "mosaic"],
    [["W"], "what the network responds to: /why", "why"],
    [["S"], "the whole survey: /explore", "explore"],
    [["?"], "this list", "help"],
    [["Escape"], "close, leave, cancel; then back to the mosaic", "escape"],
  ]],
];

/** The same for /mosaic. */
export const MOSAIC_KEYS = [
  ["Grade (all that are selected, else the one in the frame)", [
    [["a"], "A: sure lens", "grade", "A"],
    [["b"], "B: probable lens", "grade", "B"],
    [["c"], "C: possible lens", "grade", "C"],
    [["x"], "X: not a lens", "grade", "X"],
    [["s"], "skip for now", "skip"],
    [["f"], "flag, then a letter: what the network got wrong…", "chord", "flag"],
    [["u"], "undo the last decision, of a range as a whole", "undo"],
    [["k"], "what a click does: select, A, B, C, X", "cycleClick"],
  ]],
  ["Select", [
    [["e"], "every cell without a grade: the rest", "selectRest"],
    [["E"], "every cell", "selectAll"],
    [["Escape"], "nothing", "escape"],
  ]],
  ["Walk", [
    [["ArrowRight"], "right (with Shift: select)", "walk", [1, 0]],
    [["ArrowLeft"], "left", "walk", [-1, 0]],
    [["ArrowDown"], "down", "walk", [0, 1]],
    [["ArrowUp"], "up", "walk", [0, -1]],
    [["Home"], "first cell of the page", "walkTo", 0],
    [["End"], "last cell", "walkTo", -1],
    [["PageDown", " "], "next page", "turn", 1],
    [["PageUp"], "previous page", "turn", -1],
    [["g"], "go to a page", "askPage"],
    [["l"], "list anew: what has been graded leaves it", "renew"],
    [["j"], "jump to an id", "jump"],
    [["/"], "filter: p_lens > 0.9 and not graded, then Enter", "focusFilter"],
    [["Enter"], "look closer: /vet, Esc comes back", "open"],
    [["q"], "order of the queue: arrows, then Enter", "focusOrder"],
    [["Q"], "which candidates: arrows, then Enter", "focusShow"],
    [["M"], "network: arrows, then Enter", "focusModel"],
  ]],
  ["Look", [
    [["."], "more cells", "resize", 1],
    [[","], "fewer cells", "resize", -1],
    [["+", "="], "closer: the middle of each cutout", "zoom", 1],
    [["-"], "farther", "zoom", -1],
    [["v"], "next band or composite", "cycleView", 1],
    [["V"], "previous band or composite", "cycleView", -1],
    [["r"], "stretch: asinh, log, sqrt, linear", "cycleStretch"],
    [["]"], "brighter", "adjust", ["white", -0.05]],
    [["["], "fainter", "adjust", ["white", 0.05]],
    [["}"], "darker sky", "adjust", ["black", 0.5]],
    [["{"], "lighter sky", "adjust", ["black", -0.5]],
    [[">"], "softening Q up", "adjust", ["softening", 2]],
    [["<"], "softening Q down", "adjust", ["softening", -2]],
    [["n"], "invert grey", "toggle", "inverted"],
    [["w"], "smooth or square pixels", "toggle", "smooth"],
    [["0"], "whole cutouts, automatic limits", "resetView"],
  ]],
  ["Why (in all cells)", [
    [["z"], "score bars", "toggle", "bars"],
    [["p"], "predicted positions", "toggle", "position"],
    [["1"], "first overlay (1–9), where its maps are stored", "overlayNumber", 0],
    [[";"], "overlay fainter", "adjust", ["opacity", -0.1]],
    [["'"], "overlay stronger", "adjust", ["opacity", 0.1]],
  ]],
  ["Page", [
    [["y"], "light or dark", "theme"],
    [["N"], "who grades", "rename"],
    [["T"], "one at a time: /vet", "vet"],
    [["G"], "group sessions: /group", "group"],
    [["W"], "what the network responds to: /why", "why"],
    [["S"], "the whole survey: /explore", "explore"],
    [["?"], "this list", "help"],
  ]],
];

/** The same, while what-if is on; these come first, all others work as ever. */
export const WHAT_IF_KEYS = ["What if (h or e)", [
  [["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"], "move the brush", "moveBrush"],
  [["Enter", " "], "hide what is under it", "experiment", "dot"],
  [["]"], "wider: brush, Einstein radius", "experiment", "widen"],
  [["["], "narrower", "experiment", "narrow"],
  [["g"], "fill: median, sky, noise", "experiment", "nextFill"],
  [["z"], "all bands or one", "experiment", "nextBand"],
  [["u"], "take back (Ctrl-Z too)", "experiment", "undo"],
  [["K"], "keep in the comment", "keepExperiment"],
]];

const NAMES = { ArrowRight: "→", ArrowLeft: "←", ArrowDown: "↓", ArrowUp: "↑", " ": "space", Escape: "Esc", Backspace: "⌫", PageDown: "PgDn", PageUp: "PgUp" };

/** How a key is written. */
export const keyName = (key) => NAMES[key] ?? key;

const bindingsOf = (groups) => new Map(
  groups.flatMap(([, rows]) => rows.flatMap(([keys, , action, argument]) => keys.map((key) => [key, [action, argument]]))),
);
const withDigits = (bindings) => {
  for (let n = 1; n <= 9; n++) bindings.set(String(n), ["overlayNumber", n - 1]);
  return bindings;
};
export const BINDINGS = withDigits(bindingsOf(KEYS));
export const MOSAIC_BINDINGS = withDigits(bindingsOf(MOSAIC_KEYS));
const WHAT_IF_BINDINGS = bindingsOf([WHAT_IF_KEYS]);

/** [action, argument] of a key event, or null. Modified keys belong to the browser. */
export function bindingOf(event, bindings = BINDINGS) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  return bindings.get(event.key) ?? (event.key.length === 1 ? bindings.get(event.key.toLowerCase()) : null) ?? null;
}

/** [action, argument] of a key event while what-if is on, or null. */
export function whatIfBindingOf(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") return WHAT_IF_BINDINGS.get("u");
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  return WHAT_IF_BINDINGS.get(event.key) ?? null;
}

/** Whether the event comes from a field that takes text. */
export function isTyping(event) {
  const [target] = event.composedPath();
  return target.tagName === "TEXTAREA" || target.tagName === "SELECT" ||
    (target.tagName === "INPUT" && !["range", "checkbox", "button"].includes(target.type));
}
