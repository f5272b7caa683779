// The strip at the bottom: what you did on the left, what comes on the right. A click goes there.

import { drawThumbnail, h, setText } from "./dom.js";

const SIDE = 7;

export function strip({ actions, thumbnail }) {
  const slots = Array.from({ length: 2 * SIDE + 1 }, () => slot(actions));
  const element = h("nav", { class: "strip", "aria-label": "What you did, and what comes" },
    h("button", { class: "plain", title: "Previous (←)", onclick: actions.back, "aria-label": "Previous" }, "◂"),
    slots.map(({ element: e }) => e),
    h("button", { class: "plain", title: "Next (→)", onclick: actions.forward, "aria-label": "Next" }, "▸"));
  return {
    element,
    update(queue) {
      const behind = queue.behind(SIDE);
      const entries = [...Array(SIDE - behind.length).fill(null), ...behind, queue.current, ...queue.ahead(SIDE)];
      slots.forEach((s, index) => s.update(entries[index] ?? null, index === SIDE, thumbnail));
    },
  };
}

function slot(actions) {
  const canvas = h("canvas", { width: 48, height: 48 });
  const letter = h("span", { class: "letter" });
  const element = h("button", { class: "slot", onclick: () => entry && actions.goTo(entry) }, canvas, letter);
  let entry = null;
  let painted = null;
  return {
    element,
    update(next, isCurrent, thumbnail) {
      entry = next;
      element.disabled = !entry;
      element.classList.toggle("current", isCurrent);
      setText(letter, entry ? decisionLetter(entry.decision) : "");
      element.dataset.grade = entry?.decision ?? "";
      element.title = entry ? entry.object_id.slice(0, 120) : "";
      const picture = entry && thumbnail(entry.object_id);
      if (picture === painted) return;
      painted = picture;
      if (picture) drawThumbnail(canvas, picture);
      else canvas.getContext("2d").clearRect(0, 0, 48, 48);
    },
  };
}

const decisionLetter = (decision) => (decision === undefined ? "" : decision ?? "–");
