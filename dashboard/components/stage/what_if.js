// What if these pixels were not there: a brush hides them, and the network's answer follows while one draws.
// One question is on its way at a time; of what is drawn meanwhile only the newest state is asked about.

import { askWhatIf } from "./api.js";
import { h, setText } from "./dom.js";
import { planeWith } from "./scene.js";
import { writtenOffset, writtenP } from "./words.js";

export const FILLS = ["median", "sky", "noise"];
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

  enter({ entry, cutout, model, at }) {
    this.reset();
    this.subject = { entry, cutout, model };
    this.at = at;
    this.changed(); // loads the network before the first stroke
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
    this.drawing = { radius_arcsec: this.radius, points_arcsec: [at] };
    this.strokes = [...this.strokes, this.drawing];
    this.at = at;
    this.changed();
  }

  move(at) {
    this.at = at;
    const [x, y] = this.drawing?.points_arcsec.at(-1) ?? at;
    if (!this.drawing || Math.hypot(at[0] - x, at[1] - y) < SPACING * this.radius) return;
    this.drawing.points_arcsec.push(at);
    this.ask();
  }

  end() {
    this.drawing = null;
  }

  /** With keys: a dot where the brush is. */
  dot() {
    this.begin(this.at);
    this.end();
  }

  undo() {
    this.strokes = this.strokes.slice(0, -1);
    this.drawing = null;
    this.changed();
  }

  resize(step) {
    this.setRadius(this.radius * SIZE_STEP ** step);
  }

  setRadius(radius) {
    this.radius = Math.min(WIDEST_ARCSEC, Math.max(NARROWEST_ARCSEC, radius));
    this.onChange();
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
      const answer = await askWhatIf(this.question(), asking.signal).catch((error) => ({ error }));
      if (this.subject !== subject) return; // it was left, or begun anew
      this.asking = null;
      this.answeredStrokes = count;
      if (answer.error) this.refused(answer.error);
      else this.answered(answer);
      this.write();
      this.onChange();
    }
  }

  question() {
    const { entry, model } = this.subject;
    return {
      object_id: entry.object_id, model: model.version, strokes: this.strokes, fill: this.fill,
      bands: this.band && [this.band], map: this.mapMethod() === FOLLOWING_MAP,
    };
  }

  answered(answer) {
    const { cutout } = this.subject;
    this.answer = answer;
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
    if (!this.altered) return `${name} ${writtenP(now.p_lens)} · hide pixels and see it change`;
    return `${name} ${writtenP(before.p_lens)} → ${writtenP(now.p_lens)} · logit ${writtenOffset(now.logit - before.logit)}`;
  }

  /** For the comment of the vote; null if nothing is hidden. */
  note() {
    if (!this.altered || !this.answer.hidden) return null;
    const { hidden, before, now, model_version: version } = this.answer;
    const place = `(${writtenOffset(hidden.x_arcsec, 1)}", ${writtenOffset(hidden.y_arcsec, 1)}")`;
    const how = [this.fill, this.band && `${this.band} only`].filter(Boolean).join(", ");
    const name = this.subject.model.prior == null ? "softmax" : "p_lens";
    return `hid ${hidden.area_arcsec2.toPrecision(2)} arcsec² at ${place} [${how}]: ${name} ${writtenP(before.p_lens)} → ` +
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
    return this.isOn ? { strokes: this.strokes, at: this.at, radius: this.radius, pending: this.asking !== null } : null;
  }
}

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
