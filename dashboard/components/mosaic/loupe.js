// The cell in the frame, larger: from its own pixels at once, from all of the cutout's when the frame rests.

import { COMPOSITE, Pictures, sceneOf, viewsOf } from "../stage/scene.js";
import { pixelSettings } from "../stage/settings.js";
import { View } from "../stage/view.js";

const REST_MS = 120;
const POSITION_COLOUR = "#ffd166";

export class Loupe {
  constructor({ canvas, campaign, candidates }) {
    Object.assign(this, { campaign, candidates });
    this.pictures = new Pictures(campaign);
    this.view = new View(canvas, { onPointer: () => {} });
  }

  destroy() {
    clearTimeout(this.timer);
    this.view.destroy();
  }

  /** `cell`: the picture of the cell, `zoom` times closer than the whole cutout. */
  show(entry, { settings, cell, zoom, verdict }) {
    const key = JSON.stringify([entry?.object_id, pixelSettings(settings), settings.view, settings.smooth, settings.position, verdict?.position, Boolean(cell)]);
    if (key === this.key) return;
    this.key = key;
    clearTimeout(this.timer);
    if (!entry) return this.view.show(null);
    const markers = settings.position && verdict?.position ? [markerOf(verdict.position)] : [];
    const cutout = this.candidates.planesReady(entry.object_id);
    if (cutout) return this.draw(cutout, settings, markers);
    this.view.show(cell?.bitmap ? roughScene(cell, zoom, markers) : null);
    this.timer = setTimeout(async () => {
      const found = await this.candidates.planes(entry).catch(() => null);
      if (found && key === this.key) this.draw(found, settings, markers);
    }, REST_MS);
    return undefined;
  }

  draw(cutout, settings, markers) {
    const views = viewsOf(cutout);
    const view = views.includes(settings.view) ? settings.view : views.includes(COMPOSITE) ? COMPOSITE : views[0];
    this.view.smooth = settings.smooth;
    const picture = this.pictures.picture(cutout, view, pixelSettings(settings));
    this.view.show(sceneOf({ cutout, campaign: this.campaign, picture, overlay: null, settings, markers, cursor: null, brush: null }));
  }
}

const markerOf = ({ x_arcsec: x, y_arcsec: y, sigma_arcsec: sigma }) => ({ x, y, sigma, colour: POSITION_COLOUR });

function roughScene({ bitmap, extent }, zoom, markers) {
  const side = Math.max(...extent) / zoom;
  const picture = { bitmap, width: side, height: side };
  return { unit: "″", pixel: side / bitmap.width, extent: [side, side], picture, layers: [], contours: [], markers, cursor: null, brush: null, compass: null };
}
