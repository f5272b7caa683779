// Paints the candidate on the canvas, and says what is under the pointer.

import { drawThumbnail, h, setPressed, setText } from "./dom.js";
import { COMPOSITE, Pictures, compositeBands, limitsOf, referencePlane, sceneOf, viewsOf } from "./scene.js";
import { pixelSettings } from "./settings.js";
import { formatDec, formatFlux, formatRa, skyOf } from "./sky.js";
import { View } from "./view.js";

const MARK_COLOURS = { lens: "#7ee0c0", image: "#8ab4ff", other: "#d0d0d0" };

export class Painter {
  constructor({ campaign, actions }) {
    this.campaign = campaign;
    this.pictures = new Pictures(campaign);
    this.canvas = h("canvas", { role: "img", "aria-label": "the candidate" });
    this.readout = h("div", { class: "readout tabular", "data-testid": "readout" });
    this.message = h("div", { class: "message", "data-testid": "message" });
    this.badge = h("div", { class: "badge", "data-testid": "view" });
    this.caption = h("div", { class: "badge caption", "data-testid": "caption" });
    this.badges = h("div", { class: "badges" }, this.badge, this.caption);
    this.element = h("div", { class: "picture" }, this.canvas, this.badges, this.message);
    this.bands = h("div", { class: "bands", role: "group", "aria-label": "Composite and bands" });
    this.actions = actions;
    this.view = new View(this.canvas, { onPointer: (at) => this.readAt(at) });
    this.cutout = null;
  }

  destroy() {
    this.view.destroy();
  }

  /** Say something instead of a picture. */
  blank(words) {
    this.cutout = null;
    this.view.show(null);
    setText(this.message, words);
    setText(this.readout, "");
    setText(this.badge, "");
    setText(this.caption, "");
    this.bands.replaceChildren();
    this.bandsOf = null;
  }

  /** Draw; returns once the pixels are on the canvas. `altered` is the cutout with pixels changed, if it is to be shown. */
  paint({ cutout, altered, settings, overlay, marks, position, cursor, brush }) {
    this.cutout = cutout;
    this.shown = altered ?? cutout;
    this.settings = settings;
    const view = this.shownView();
    this.view.smooth = settings.smooth;
    setText(this.message, "");
    setText(this.badge, this.badgeText(view) + (position ? ` · circle: position, ${position.source}` : ""));
    setText(this.caption, overlay ? `${overlay.title}: ${overlay.shows} ${overlay.cannot_say}` : "");
    const picture = this.pictures.picture(this.shown, view, pixelSettings(settings));
    const markers = this.markers(marks, position);
    this.view.show(sceneOf({ cutout, campaign: this.campaign, picture, overlay, settings, markers, cursor, brush }));
    this.paintBands(view);
    this.readAt(this.view.pointer);
  }

  /** The chosen view, or the first that this cutout has. */
  shownView() {
    const views = viewsOf(this.cutout);
    return views.includes(this.settings.view) ? this.settings.view : views[0];
  }

  badgeText(view) {
    if (this.cutout.kind === "colour") return view === COMPOSITE ? "colour image, not calibrated" : `${view} of a colour image`;
    if (view === COMPOSITE) return `Lupton composite ${compositeBands(this.cutout, this.campaign).join("-")}, ${this.settings.stretch}`;
    const limits = this.limits(view);
    const plane = this.cutout.planes.find(({ band }) => band === view);
    return `${view}, ${this.settings.stretch}${limits ? `, ${fluxText(plane, limits.low)} … ${fluxText(plane, limits.high)}` : ", no data"}`;
  }

  /** Flux that a band shows black and white; null if it holds no data. */
  limits(view) {
    return limitsOf(this.cutout.planes.find(({ band }) => band === view), this.settings);
  }

  /** Draw ahead of time, so that the next key press finds the picture ready. */
  prepare(cutout, settings) {
    const views = viewsOf(cutout);
    const view = views.includes(settings.view) ? settings.view : views[0];
    return this.pictures.picture(cutout, view, pixelSettings(settings));
  }

  paintBands(shown) {
    const views = viewsOf(this.cutout);
    if (this.bandsOf !== this.cutout) {
      this.bandsOf = this.cutout;
      this.bandButtons = views.map((view) => bandButton(view, this.actions));
      this.bands.replaceChildren(...this.bandButtons.map(({ button }) => button));
      this.bandSettings = null;
    }
    const key = JSON.stringify(pixelSettings(this.settings));
    this.bandButtons.forEach(({ button }, index) => setPressed(button, views[index] === shown));
    if (this.bandSettings === key) return;
    this.bandSettings = key;
    const { cutout, settings, bandButtons } = this;
    // Thumbnails are not what the key press waits for.
    requestAnimationFrame(() => setTimeout(() => {
      if (this.cutout !== cutout) return;
      bandButtons.forEach(({ canvas }, index) => drawThumbnail(canvas, this.pictures.picture(cutout, views[index], pixelSettings(settings))));
    }));
  }

  /** Marks and positions, as the canvas draws them. */
  markers(marks, position) {
    const set = marks.map((mark) => {
      const [x, y] = this.placeOf(mark);
      return { x, y, label: mark.kind, colour: MARK_COLOURS[mark.kind], shape: "square" };
    });
    if (!position) return set;
    const { x_arcsec: x, y_arcsec: y, sigma_arcsec: sigma } = position;
    return [...set, { x, y, sigma, colour: "#ffd166" }];
  }

  /** Offset of a mark from the centre. */
  placeOf({ x_px, y_px }) {
    const reference = referencePlane(this.cutout, this.campaign);
    const scale = reference.pixel_scale_arcsec ?? 1;
    return [(x_px - (reference.width - 1) / 2) * scale, (y_px - (reference.height - 1) / 2) * scale];
  }

  /** A mark of that kind at an offset from the centre. */
  markAt(kind, [x, y]) {
    const reference = referencePlane(this.cutout, this.campaign);
    const scale = reference.pixel_scale_arcsec ?? 1;
    const sky = skyOf(this.cutout, x, y);
    const rounded = (value) => Math.round(value * 100) / 100;
    return {
      kind, x_px: rounded(x / scale + (reference.width - 1) / 2), y_px: rounded(y / scale + (reference.height - 1) / 2),
      ra_deg: sky?.ra_deg ?? null, dec_deg: sky?.dec_deg ?? null,
    };
  }

  /** Only the brush moved: the rest of what is drawn stays. */
  paintBrush(brush) {
    if (this.view.scene) this.view.show({ ...this.view.scene, brush });
  }

  pixelStep() {
    return referencePlane(this.cutout, this.campaign).pixel_scale_arcsec ?? 1;
  }

  readAt(at) {
    if (!this.cutout || !at) return setText(this.readout, "");
    const [x, y] = at;
    const sky = skyOf(this.cutout, x, y);
    const place = sky ? `${formatRa(sky.ra_deg)} ${formatDec(sky.dec_deg)}` : `${x.toFixed(2)}, ${y.toFixed(2)}`;
    setText(this.readout, [pixelText(this.cutout, this.campaign, x, y), place, ...fluxTexts(this.shown, this.shownView(), x, y)].join("  ·  "));
  }
}

function pixelText(cutout, campaign, x, y) {
  const reference = referencePlane(cutout, campaign);
  const scale = reference.pixel_scale_arcsec ?? 1;
  return `x ${(x / scale + (reference.width - 1) / 2).toFixed(1)} y ${(y / scale + (reference.height - 1) / 2).toFixed(1)}`;
}

function fluxTexts(cutout, view, x, y) {
  const planes = view === COMPOSITE ? cutout.planes.slice(0, 5) : cutout.planes.filter(({ band }) => band === view);
  return planes.map((plane) => {
    const scale = plane.pixel_scale_arcsec ?? 1;
    const [i, j] = [Math.round(x / scale + (plane.width - 1) / 2), Math.round(y / scale + (plane.height - 1) / 2)];
    const inside = i >= 0 && j >= 0 && i < plane.width && j < plane.height;
    return inside ? `${plane.band} ${fluxText(plane, plane.flux[j * plane.width + i])}` : `${plane.band} –`;
  });
}

/** Flux in µJy where the zero point is known (AB, m = 23.9 - 2.5 log f), else the number in the file. */
function fluxText({ zero_point_mag: zeroPoint }, value) {
  if (!Number.isFinite(zeroPoint) || !Number.isFinite(value)) return formatFlux(value);
  return `${formatFlux(value * 10 ** (-0.4 * (zeroPoint - 23.9)))} µJy`;
}

function bandButton(view, actions) {
  const canvas = h("canvas", { width: 72, height: 72 });
  const label = view === COMPOSITE ? "RGB" : view;
  const button = h("button", { class: "band", title: `${view === COMPOSITE ? "Colour composite" : `Band ${view}`} (v, space blinks)`, "data-testid": `band-${view}`, onclick: () => actions.set("view", view) }, canvas, h("span", {}, label));
  return { button, canvas };
}
