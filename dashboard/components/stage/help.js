// The sheet that lists every key.

import { h, keyCap } from "./dom.js";
import { keyName } from "./keys.js";

/** `keys` : groups of `keys.js`. `pointer` : what the mouse does, in words. */
export function helpSheet(keys, pointer) {
  const close = h("button", { class: "plain", onclick: () => element.close(), title: "Close (Esc)" }, "close ", keyCap("Esc"));
  const groups = keys.map(([title, rows]) => h("section", {}, h("h2", {}, title),
    h("dl", {}, rows.flatMap(([keys, words]) => [h("dt", {}, keys.map((key) => keyCap(keyName(key)))), h("dd", {}, words)]))));
  const element = h("dialog", { class: "help", "aria-label": "Keys", "data-testid": "help-sheet" },
    h("div", { class: "line" }, h("h1", {}, "Keys"), h("span", { class: "spring" }), close),
    h("div", { class: "groups" }, groups),
    h("p", { class: "dim" }, `${pointer} Nothing is preselected.`));
  return { element, toggle: () => (element.open ? element.close() : element.showModal()) };
}
