// Draws cells away from the page, so that keys are never kept waiting: fetches planes, composes, scales to the cell.

import { postForBytes } from "../stage/api.js";
import { decodeCells, decodeVerdicts } from "../stage/frames.js";
import { COMPOSITE, Pictures, mapLayers, viewsOf } from "../stage/scene.js";

const PLANES_KEPT_BYTES = 40 * 2 ** 20; // of each worker: for another stretch of the pages around

let pictures = null;
let campaign = null;
const kept = new Map(); // cutouts by what was asked of them, the oldest first
let keptBytes = 0;

const JOBS = { begin, cells, verdicts };

self.onmessage = async ({ data: { id, job, ...wanted } }) => {
  try {
    const { answer, bitmaps = [] } = await JOBS[job](wanted);
    self.postMessage({ id, answer }, bitmaps);
  } catch (error) {
    self.postMessage({ id, error: { message: error.message, status: error.status ?? null } });
  }
};

function begin(wanted) {
  campaign = wanted.campaign;
  pictures = new Pictures(campaign);
  return { answer: null };
}

/** Pictures of cutouts: [{object_id, planes_hash, bitmap, extent, problem}]; `look`: {view, settings, side, zoom, smooth}. */
async function cells({ entries, look }) {
  const cutouts = await cutoutsOf(entries, look);
  const answer = cutouts.map((cutout) => (cutout.problem ? cutout : drawn(cutout, look)));
  return { answer, bitmaps: answer.map(({ bitmap }) => bitmap).filter(Boolean) };
}

function drawn(cutout, look) {
  const views = viewsOf(cutout);
  const view = views.includes(look.view) ? look.view : views[0];
  // Not kept: the cell is, and a canvas for each of thousands of cutouts would be more than a browser has.
  const { bitmap, width, height } = pictures.draw(cutout, view, look.settings);
  const { object_id, planes_hash } = cutout;
  return { object_id, planes_hash, extent: [width, height], bitmap: scaled(bitmap, look) };
}

/** The middle of a picture as a square of `side` pixels, the whole of it at zoom 1. */
function scaled(picture, { side, zoom, smooth }) {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d", { alpha: false });
  const scale = (side * zoom) / Math.max(picture.width, picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  context.imageSmoothingEnabled = smooth || scale < 1;
  context.imageSmoothingQuality = "medium";
  context.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
  return canvas.transferToImageBitmap();
}

async function cutoutsOf(entries, { view, side, zoom }) {
  const bands = view === COMPOSITE ? campaign.composite : [view];
  const asked = { side_px: Math.min(4096, Math.ceil(side * zoom)), bands };
  const keyOf = ({ object_id, planes_hash }) => JSON.stringify([object_id, planes_hash, asked]);
  const found = new Map(entries.map((entry) => [entry, kept.get(keyOf(entry))]));
  const missing = entries.filter((entry) => !found.get(entry));
  if (missing.length) {
    const answer = decodeCells(await postForBytes("cells", { ...asked, object_ids: missing.map(({ object_id }) => object_id) }));
    answer.forEach((cutout, index) => {
      found.set(missing[index], cutout);
      if (!cutout.problem) keep(keyOf(missing[index]), cutout);
    });
  }
  return entries.map((entry) => found.get(entry));
}

const bytesOf = ({ planes }) => planes.reduce((sum, { flux }) => sum + flux.byteLength, 0);

function keep(key, cutout) {
  kept.set(key, cutout);
  keptBytes += bytesOf(cutout);
  for (const [oldest, other] of kept) {
    if (keptBytes <= PLANES_KEPT_BYTES) break;
    kept.delete(oldest);
    keptBytes -= bytesOf(other);
  }
}

/** Scores, positions and map layers: [{object_id, p_lens, position, layer: {bitmap, width, height} or null}]. */
async function verdicts({ entries, model, method, side }) {
  const object_ids = entries.map(({ object_id }) => object_id);
  const found = decodeVerdicts(await postForBytes("cells/verdicts", { model, method, object_ids, side_px: side }));
  const answer = found.map(({ map, ...verdict }) => ({ ...verdict, position: positionOf(verdict, map), layer: map && layerOf(map) }));
  return { answer, bitmaps: answer.map(({ layer }) => layer?.bitmap).filter(Boolean) };
}

/** The network's own position; where it predicts none, the one read off the map. */
function positionOf({ x_arcsec: x, y_arcsec: y, position_sigma_arcsec: sigma }, map) {
  return x == null ? map?.position ?? null : { x_arcsec: x, y_arcsec: y, sigma_arcsec: sigma };
}

/** At full strength: the page fades it. */
function layerOf(map) {
  const { layer } = mapLayers(map, { opacity: 1, contours: false });
  return { ...layer, bitmap: layer.bitmap.transferToImageBitmap() };
}
