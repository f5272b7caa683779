// The cells: pictures on one canvas without gaps, and over them what was decided, the score, what is selected.

import { h, setText } from "../stage/dom.js";

const POSITION_COLOUR = "#ffd166";

export class Grid {
  /** `onPointer(index, event)`: a cell was pressed; `onOpen(index)`: double click. */
  constructor({ onPointer, onOpen }) {
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.cells = h("div", { class: "cells", role: "grid", "aria-label": "Candidates", "aria-multiselectable": "true" });
    this.message = h("div", { class: "message", "data-testid": "message" });
    this.element = h("div", { class: "grid", "data-testid": "mosaic", "data-page": "", "data-painted": "0" }, this.canvas, this.cells, this.message);
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.list = [];
    const indexAt = (event) => this.list.findIndex(({ element }) => element === event.target.closest(".cell"));
    this.cells.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && indexAt(event) >= 0) onPointer(indexAt(event), event);
    });
    this.cells.addEventListener("dblclick", (event) => { if (indexAt(event) >= 0) onOpen(indexAt(event)); });
    this.resize(3, 300);
  }

  /** `rows` by `rows` cells in a square of at most `room` CSS pixels. Each cell is a whole number of the screen's pixels. */
  resize(rows, room) {
    const ratio = window.devicePixelRatio || 1;
    const side = Math.max(16, Math.floor((room * ratio) / rows));
    if (rows === this.rows && side === this.side && ratio === this.ratio) return false;
    Object.assign(this, { rows, side, ratio });
    const size = `${(side * rows) / ratio}px`;
    this.canvas.width = this.canvas.height = side * rows;
    Object.assign(this.element.style, { width: size, height: size });
    this.element.style.setProperty("--rows", rows);
    this.element.style.setProperty("--cell", `${side / ratio}px`);
    while (this.list.length > rows * rows) this.list.pop().element.remove();
    while (this.list.length < rows * rows) {
      const cell = new Cell(this.list.length);
      this.list.push(cell);
      this.cells.append(cell.element);
    }
    return true;
  }

  /** Draw a cell: its picture, the map and the position on it; what is not here yet stays black. */
  draw(index, { picture, verdict, look, showPosition }) {
    const { context, side } = this;
    const [x, y] = [(index % this.rows) * side, Math.floor(index / this.rows) * side];
    context.save();
    context.beginPath();
    context.rect(x, y, side, side);
    context.clip();
    context.fillStyle = "#000";
    context.fillRect(x, y, side, side);
    if (picture?.bitmap) {
      context.drawImage(picture.bitmap, x, y, side, side);
      const scale = (side * look.zoom) / Math.max(...picture.extent);
      context.translate(x + side / 2, y + side / 2);
      if (verdict?.layer) this.drawLayer(verdict.layer, verdict.opacity, scale);
      if (verdict?.position && showPosition) this.drawPosition(verdict.position, scale);
    }
    context.restore();
  }

  drawLayer({ bitmap, width, height }, opacity, scale) {
    this.context.imageSmoothingEnabled = true;
    this.context.globalAlpha = opacity;
    this.context.drawImage(bitmap, (-width * scale) / 2, (-height * scale) / 2, width * scale, height * scale);
    this.context.globalAlpha = 1;
  }

  /** A circle as wide as the position is uncertain; the pixels under it stay visible. */
  drawPosition({ x_arcsec: x, y_arcsec: y, sigma_arcsec: sigma }, scale) {
    const { context, ratio } = this;
    const radius = Math.max(4 * ratio, (sigma || 0) * scale);
    for (const [width, colour] of [[3, "rgb(0 0 0 / 55%)"], [1.2, POSITION_COLOUR]]) {
      context.beginPath();
      context.arc(x * scale, -y * scale, radius, 0, 2 * Math.PI);
      context.lineWidth = width * ratio;
      context.strokeStyle = colour;
      context.stroke();
    }
  }

  /** What the cells say: [{entry, problem, isPainted, flag, p}], null past the last one. */
  update(states, { cursor, selected, bars }) {
    this.element.classList.toggle("with-bars", bars);
    this.list.forEach((cell, index) => cell.update(states[index] ?? null, { isCursor: index === cursor, isSelected: selected.has(index), bars }));
  }
}

class Cell {
  constructor(index) {
    this.corner = h("span", { class: "corner" });
    this.flag = h("span", { class: "flag" });
    this.problem = h("span", { class: "cell-problem" });
    this.element = h("div", { class: "cell", role: "gridcell", "data-index": index, "data-object-id": "" }, this.corner, this.flag, this.problem);
    this.said = null;
  }

  update(state, { isCursor, isSelected, bars }) {
    const said = JSON.stringify([state, isCursor, isSelected, bars]);
    if (said === this.said) return;
    this.said = said;
    const { element } = this;
    const { objectId = "", letter = "", flag = "", problem = "", p = null } = state ?? {};
    element.hidden = !state;
    element.dataset.objectId = objectId;
    element.dataset.grade = letter;
    element.classList.toggle("cursor", isCursor);
    element.setAttribute("aria-selected", String(isSelected));
    element.title = [objectId.slice(0, 120), letter && `grade ${letter}`, bars && p != null && `p ${p.toFixed(3)}`].filter(Boolean).join(" · ");
    setText(this.corner, letter);
    setText(this.flag, flag ? "⚑" : "");
    setText(this.problem, problem);
    this.drawBar(bars ? p : null);
  }

  /** The bar is not on the page at all where there is no score to be shown. */
  drawBar(p) {
    if (p == null) {
      this.bar?.remove();
      this.bar = null;
      return;
    }
    if (!this.bar) {
      this.bar = h("span", { class: "score-bar" }, h("i"));
      this.element.append(this.bar);
    }
    this.bar.firstChild.style.width = `${100 * p}%`;
  }
}
