// The sheet that lists every key.

import { h, keyCap } from "./dom.js";
import { KEYS, WHAT_IF_KEYS, keyName } from "./keys.js";

export function helpSheet() {
  const close = h("button", { class: "plain", onclick: () => element.close(), title: "Close (Esc)" }, "close ", keyCap("Esc"));
  const groups = [...KEYS, WHAT_IF_KEYS].map(([title, rows]) => h("section", {}, h("h2", {}, title),
    h("dl", {}, rows.flatMap(([keys, words]) => [h("dt", {}, keys.map((key) => keyCap(keyName(key)))), h("dd", {}, words)]))));
  const element = h("dialog", { class: "help", "aria-label": "Keys", "data-testid": "help-sheet" },
    h("div", { class: "line" }, h("h1", {}, "Keys"), h("span", { class: "spring" }), close),
    h("div", { class: "groups" }, groups),
    h("p", { class: "dim" }, "Wheel: zoom round the cursor. Drag: pan. Double click: whole cutout. In what if a drag paints, Shift and drag pans, Shift and wheel sizes the brush. Nothing is preselected; a grade is saved and the next candidate appears."));
  return { element, toggle: () => (element.open ? element.close() : element.showModal()) };
}
