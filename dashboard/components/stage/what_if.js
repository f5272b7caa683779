// What if these pixels were not there, or a lens were: a brush hides them, a simulated lens is put where one points, and
// the network's answer follows while one draws.
// One question is on its way at a time; of what is drawn meanwhile only the newest state is asked about.

import { askWhatIf } from "./api.js";
import { h, setText } from "./dom.js";
import { planeWith } from "./scene.js";
import { writtenOffset, writtenP } from "./words.js";

export const FILLS = ["median", "sky", "noise"];
/** Einstein radius in arcsec; the source's VIS magnitude, unlensed; its colour VIS - Y; its place from the axis, in Einstein radii and degrees. */
export const LENS_RANGES = {
  theta_e_arcsec: [0.3, 3], mag_vis: [21, 27], vis_y: [-0.5, 2], offset: [0, 1], angle_deg: [0, 360],
};
const LENS = { theta_e_arcsec: 1.2, mag_vis: 23.5, vis_y: 0.3, offset: 0.25, angle_deg: 30 };
const NARROWEST_ARCSEC = 0.05;
const WIDEST_ARCSEC = 3;
const SIZE_STEP = 1.25;
const SPACING = 0.3; // of the radius: a path needs no more points than that
const FOLLOWING_MAP = "evidence"; // the server says with a verdict how this one changes

export class WhatIf {
  /** `onChange()`: something is to be drawn anew. `mapMethod()`: the method of the overlay that is on. */
  constructor({ onChange, mapMethod }) {
    Object.assign(this, { onChange, mapMethod });
    this.verdict = h("div", { class: "badge what-if", role: "status", "data-testid": "what-if" });
    this.fill = FILLS[0];
    this.radius = 0.3;
    this.lensIs = LENS; // but for its place
    this.subject = null; // {entry, cutout, model} while pixels are being hidden
    this.answeredFor = null; // the object that the network was last asked about, also after leaving
    this.reset();
  }

  get isOn() {
    return this.subject !== null;
  }

  /** Bands to choose from: null stands for all of them. */
  get bandChoices() {
    const bands = this.subject?.cutout.planes.map(({ band }) => band) ?? [];
    return bands.length > 1 ? [null, ...bands] : [null];
  }

  /** `at`: where the brush begins, and a lens is put. */
  enter({ entry, cutout, model, at, tool }) {
    this.reset();
    this.subject = { entry, cutout, model };
    this.at = at;
    this.take(tool); // loads the network before the first stroke
  }

  /** What the pointer does: "hide" pixels, or place a "lens". */
  take(tool) {
    this.tool = tool;
    this.drawing = null;
    if (tool === "lens" && !this.lensAt) this.lensAt = this.at;
    this.changed();
  }

  /** The pixels are as they were; whoever calls this draws them. */
  leave() {
    if (!this.isOn) return;
    this.asking?.abort();
    this.subject = null;
    this.reset();
  }

  reset() {
    this.strokes = [];
    this.band = null;
    this.drawing = null;
    this.moving = false; // the lens, with the pointer
    this.tool = "hide";
    this.lensAt = null; // where the simulated lens is
    this.answer = null;
    this.problem = null;
    this.altered = null;
    this.asking = null;
    this.asksAgain = false;
    this.settled = Promise.resolve();
    this.answeredStrokes = 0;
    this.write();
  }

  // The brush

  begin(at) {
    this.moving = this.tool === "lens";
    if (this.moving) return this.placeLens(at);
    this.drawing = { radius_arcsec: this.radius, points_arcsec: [at] };
    this.strokes = [...this.strokes, this.drawing];
    this.at = at;
    this.changed();
  }

  move(at) {
    if (this.moving) return this.placeLens(at);
    this.at = at;
    const [x, y] = this.drawing?.points_arcsec.at(-1) ?? at;
    if (!this.drawing || Math.hypot(at[0] - x, at[1] - y) < SPACING * this.radius) return;
    this.drawing.points_arcsec.push(at);
    this.ask();
  }

  end() {
    this.drawing = null;
    this.moving = false;
  }

  placeLens(at) {
    this.at = at;
    this.lensAt = at;
    this.changed();
  }

  /** With keys: a dot where the brush is. */
  dot() {
    this.begin(this.at);
    this.end();
  }

  undo() {
    if (this.tool === "lens") this.lensAt = null;
    else this.strokes = this.strokes.slice(0, -1);
    this.drawing = null;
    this.changed();
  }

  get canUndo() {
    return this.tool === "lens" ? this.lensAt !== null : this.strokes.length > 0;
  }

  /** The brush, or the Einstein radius. */
  resize(step) {
    if (this.tool === "lens") this.setLens(["theta_e_arcsec", this.lensIs.theta_e_arcsec * SIZE_STEP ** (step / 2)]);
    else this.setRadius(this.radius * SIZE_STEP ** step);
  }

  setRadius(radius) {
    this.radius = Math.min(WIDEST_ARCSEC, Math.max(NARROWEST_ARCSEC, radius));
    this.onChange();
  }

  setLens([name, value]) {
    const [low, high] = LENS_RANGES[name];
    this.lensIs = { ...this.lensIs, [name]: Math.min(high, Math.max(low, value)) };
    this.changed();
  }

  setFill(fill) {
    this.fill = fill;
    this.changed();
  }

  setBand(band) {
    this.band = band;
    this.changed();
  }

  // The network's answer

  changed() {
    this.onChange();
    this.ask();
  }

  /** Resolves once the network has judged the pixels as they are now. */
  ask() {
    if (!this.isOn) return Promise.resolve();
    this.asksAgain = true;
    this.settled = this.asking ? this.settled : this.askUntilAnswered();
    return this.settled;
  }

  async askUntilAnswered() {
    const { subject } = this;
    while (this.subject === subject && this.asksAgain) {
      this.asksAgain = false;
      const asking = this.asking = new AbortController();
      const count = this.strokes.length;
      const question = this.question();
      const answer = await askWhatIf(question, asking.signal).catch((error) => ({ error }));
      if (this.subject !== subject) return; // it was left, or begun anew
      this.asking = null;
      this.answeredStrokes = count;
      if (answer.error) this.refused(answer.error);
      else this.answered(answer, question.inject);
      this.write();
      this.onChange();
    }
  }

  question() {
    const { entry, model } = this.subject;
    return {
      object_id: entry.object_id, model: model.version, strokes: this.strokes, fill: this.fill,
      bands: this.band && [this.band], map: this.mapMethod() === FOLLOWING_MAP,
      inject: this.lensAt && { ...this.lensIs, x_arcsec: this.lensAt[0], y_arcsec: this.lensAt[1] },
    };
  }

  answered(answer, lens) {
    const { cutout } = this.subject;
    this.answer = { ...answer, lens };
    this.answeredFor = answer.object_id;
    this.problem = null;
    this.altered = answer.patches.length ? { ...cutout, planes: cutout.planes.map((plane) => patched(plane, answer.patches)) } : null;
  }

  refused(error) {
    this.answer = null;
    this.altered = null;
    this.problem = error.status === 403 ? "what if: after your grade" : error.message;
  }

  /** What is said beside the picture. */
  write() {
    const words = !this.isOn ? "" : this.problem ?? (this.answer ? this.verdictWords() : "the network is being loaded…");
    setText(this.verdict, words);
    this.verdict.classList.toggle("problem", Boolean(this.problem));
    this.verdict.dataset.strokes = this.isOn && !this.asksAgain ? String(this.answeredStrokes) : "";
  }

  verdictWords() {
    const { before, now } = this.answer;
    const name = this.subject.model.prior == null ? "softmax" : "p_lens";
    if (!this.altered) return `${name} ${writtenP(now.p_lens)} · ${this.tool === "lens" ? "click where the lens should be" : "hide pixels and see it change"}`;
    return `${name} ${writtenP(before.p_lens)} → ${writtenP(now.p_lens)} · logit ${writtenOffset(now.logit - before.logit)}`;
  }

  /** For the comment of the vote; null if nothing was changed. */
  note() {
    if (!this.altered) return null;
    const { hidden, lens, before, now, model_version: version } = this.answer;
    const how = [this.fill, this.band && `${this.band} only`].filter(Boolean).join(", ");
    const done = [
      hidden && `hid ${hidden.area_arcsec2.toPrecision(2)} arcsec² at ${place(hidden)} [${how}]`,
      lens && `added a simulated lens at ${place(lens)} [θ_E ${lens.theta_e_arcsec.toFixed(2)}", source ${lens.mag_vis.toFixed(1)} mag, ` +
        `VIS-Y ${lens.vis_y.toFixed(1)}, ${lens.offset.toFixed(2)} θ_E off at ${lens.angle_deg.toFixed(0)}°]`,
    ];
    const name = this.subject.model.prior == null ? "softmax" : "p_lens";
    return `${done.filter(Boolean).join(", ")}: ${name} ${writtenP(before.p_lens)} → ` +
      `${writtenP(now.p_lens)} (logit ${writtenOffset(now.logit - before.logit, 1)}), ${version}`;
  }

  /** The network's position in the changed image; null while that is not known. */
  position() {
    const { now } = this.answer ?? {};
    return now?.x_arcsec == null ? null : { ...now, sigma_arcsec: now.position_sigma_arcsec, source: `${this.subject.model.title}, now` };
  }

  /** The overlay as it is now, on the colour scale that it had; one that does not follow says so. */
  overlay(map) {
    if (!map || !this.altered) return map;
    if (this.answer.map && map.method === FOLLOWING_MAP) return { ...map, ...this.answer.map, comparedWith: map };
    return { ...map, title: `${map.title}, before` };
  }

  /** For the canvas. */
  brush() {
    if (!this.isOn) return null;
    const { strokes, tool, lensAt } = this;
    const circle = tool === "hide" ? { at: this.at, radius: this.radius } : lensAt && { at: lensAt, radius: this.lensIs.theta_e_arcsec, dashed: true };
    return { strokes, circle, pending: this.asking !== null };
  }
}

const place = ({ x_arcsec: x, y_arcsec: y }) => `(${writtenOffset(x, 1)}", ${writtenOffset(y, 1)}")`;

/** The plane with the pixels of its patch in their place. */
function patched(plane, patches) {
  const patch = patches.find(({ band }) => band === plane.band);
  if (!patch) return plane;
  const flux = plane.flux.slice();
  for (let y = 0; y < patch.height; y++) {
    flux.set(patch.values.subarray(y * patch.width, (y + 1) * patch.width), (patch.y_px + y) * plane.width + patch.x_px);
  }
  return planeWith(plane, flux);
}
