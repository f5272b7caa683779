// From a cutout and the settings to what the canvas draws: picture, map layer, contours, markers.

import { coloursFor } from "./colourmaps.js";
import { contour } from "./contours.js";
import { blurred, limits, mapScale, renderBand, renderColour, renderComposite, renderMap, resampled, statistics, suitableWhite } from "./pixels.js";
import { compass } from "./sky.js";

export const COMPOSITE = "composite";
const CONTOUR_SHARES = [0.25, 0.5, 0.75, 0.9];

/** Views that a cutout offers: the composite where it has two bands or more, then each band. */
export function viewsOf(cutout) {
  const bands = cutout.planes.map(({ band }) => band);
  return bands.length > 1 ? [COMPOSITE, ...bands] : bands;
}

/** The plane whose grid the others, maps and marks refer to. */
export function referencePlane(cutout, campaign) {
  return cutout.planes.find(({ band }) => band === campaign.reference_band) ?? cutout.planes[0];
}

/** Bands for red, green and blue: the survey's, else the reddest, a middle and the bluest there are. */
export function compositeBands(cutout, campaign) {
  const named = cutout.planes.map(({ band }) => band);
  if (campaign.composite.every((band) => named.includes(band))) return campaign.composite;
  const known = cutout.planes.filter(({ pivot_um: pivot }) => pivot != null);
  const bands = known.length > 1 ? known.sort((a, b) => a.pivot_um - b.pivot_um).map(({ band }) => band) : named;
  return [bands.at(-1), bands[(bands.length - 1) >> 1], bands[0]];
}

const cache = new WeakMap();

/** Statistics of a plane, computed once. */
export function statisticsOf(plane) {
  if (!cache.has(plane)) {
    const stats = plane.statistics ?? statistics(plane.flux); // those of an averaged plane are of what it was before
    cache.set(plane, stats && { ...stats, automatic: suitableWhite(stats) });
  }
  return cache.get(plane);
}

/** The plane with other flux, shown within the limits that it has: only what was changed looks different. */
export function planeWith(plane, flux) {
  const other = { ...plane, flux };
  cache.set(other, statisticsOf(plane));
  return other;
}

/** Limits in flux for a plane under the settings; `white` is counted from what suits the plane. */
export function limitsOf(plane, settings) {
  const stats = statisticsOf(plane);
  return stats && limits(stats, absolute(stats, settings));
}

const absolute = (stats, settings) => ({ ...settings, white: Math.min(1, Math.max(0, stats.automatic + settings.white)) });

/** ImageData of a cutout in a view. */
function pixelsOf(cutout, campaign, settings, view) {
  if (cutout.kind === "colour" && view === COMPOSITE) {
    return renderColour(cutout.planes, { ...settings, white: 0.7 + settings.white });
  }
  if (view === COMPOSITE) return compositePixels(cutout, campaign, settings);
  const plane = cutout.planes.find(({ band }) => band === view) ?? cutout.planes[0];
  const stats = statisticsOf(plane);
  return renderBand(plane, stats, stats ? absolute(stats, settings) : settings);
}

/**
 * Channels on one flux scale (AB, from the zero points), so that colours mean the same in every picture;
 * `composite_neutral_mag` is the colour drawn as grey. Without zero points each band has its own scale.
 */
function compositePixels(cutout, campaign, settings) {
  const grid = compositeGrid(cutout, campaign);
  const planes = compositeBands(cutout, campaign).map((name) => cutout.planes.find(({ band }) => band === name));
  const ranges = planes.map((plane) => limitsOf(plane, settings) ?? { low: 0, high: 1 });
  const neutral = campaign.composite_neutral_mag ?? [0, 0, 0];
  const calibrated = planes.every(({ zero_point_mag }) => Number.isFinite(zero_point_mag));
  const area = ({ pixel_scale_arcsec: scale }) => ((scale ?? 1) / (grid.pixel_scale_arcsec ?? 1)) ** 2; // flux is per pixel
  const perUnit = planes.map((plane, c) => (calibrated ? area(plane) * 10 ** (0.4 * (plane.zero_point_mag - 25 - neutral[c])) : 1));
  const widths = ranges.map(({ low, high }, c) => (high - low) / perUnit[c]);
  const common = Math.cbrt(widths[0] * widths[1] * widths[2]);
  const channels = planes.map((plane, c) => {
    const { low, high } = ranges[c];
    const sigma = statisticsOf(plane)?.sigma ?? 0;
    return { ...onGrid(plane, grid, planes, campaign), sigma, low, high: calibrated ? low + common * perUnit[c] : high };
  });
  return renderComposite(channels, grid, settings);
}

const FWHM = 2.3548; // of a Gaussian, in sigma

/** A plane on the grid of the composite, as it is and blurred to the widest PSF of the three. */
function onGrid(plane, grid, planes, campaign) {
  const widths = planes.map(({ band }) => campaign.psf_fwhm_arcsec?.[band] ?? 0);
  const own = campaign.psf_fwhm_arcsec?.[plane.band] ?? 0;
  const sigma = Math.sqrt(Math.max(0, Math.max(...widths) ** 2 - own ** 2)) / FWHM / (grid.pixel_scale_arcsec ?? Infinity);
  if (!cache.has(plane.flux)) {
    const flux = resampled(plane, grid);
    cache.set(plane.flux, { flux, matched: own && sigma > 0.5 ? blurred(flux, grid, sigma) : flux });
  }
  return cache.get(plane.flux);
}

/** The composite is drawn on the finest of its grids, so that no band loses detail. */
function compositeGrid(cutout, campaign) {
  const names = compositeBands(cutout, campaign);
  const planes = cutout.planes.filter(({ band }) => names.includes(band));
  return planes.reduce((finest, p) => ((p.pixel_scale_arcsec ?? 1) < (finest.pixel_scale_arcsec ?? 1) ? p : finest));
}

function bitmapOf(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Pictures by cutout, view and settings; the next candidates are drawn ahead of time. */
export class Pictures {
  constructor(campaign) {
    this.campaign = campaign;
    this.drawn = new WeakMap();
  }

  picture(cutout, view, settings) {
    const key = JSON.stringify([view, settings]);
    const held = this.drawn.get(cutout) ?? new Map();
    this.drawn.set(cutout, held);
    if (!held.has(key)) {
      if (held.size > 12) held.clear(); // a slider was moved: keep few
      held.set(key, this.draw(cutout, view, settings));
    }
    return held.get(key);
  }

  draw(cutout, view, settings) {
    const plane = view === COMPOSITE
      ? (cutout.kind === "colour" ? cutout.planes[0] : compositeGrid(cutout, this.campaign))
      : cutout.planes.find(({ band }) => band === view) ?? cutout.planes[0];
    const scale = plane.pixel_scale_arcsec ?? 1;
    return {
      bitmap: bitmapOf(pixelsOf(cutout, this.campaign, settings, view)),
      width: plane.width * scale,
      height: plane.height * scale,
    };
  }
}

/** The map as a layer on the picture, with its contours if asked for. */
export function mapLayers(map, { opacity, contours }) {
  const scale = map.pixel_scale_arcsec ?? 1;
  const colours = coloursFor(map.signed);
  const layer = { bitmap: bitmapOf(renderMap(map, colours, opacity)), width: map.width * scale, height: map.height * scale };
  return { layer, contours: contours ? contourLines(map, scale) : [] };
}

function contourLines(map, scale) {
  const peak = mapScale(map);
  const toOffset = ([x1, y1, x2, y2]) => [
    (x1 - (map.width - 1) / 2) * scale, (y1 - (map.height - 1) / 2) * scale,
    (x2 - (map.width - 1) / 2) * scale, (y2 - (map.height - 1) / 2) * scale,
  ];
  const signs = map.signed ? [[1, "#fdb863"], [-1, "#9cc4ff"]] : [[1, "#ffe9a8"]];
  return peak === 0 ? [] : signs.flatMap(([sign, colour]) =>
    CONTOUR_SHARES.map((share) => ({ colour, width: 1.2, segments: contour(map, sign * share * peak).map(toOffset) })));
}

/** Everything for the canvas. `overlay` is a decoded map or null. */
export function sceneOf({ cutout, campaign, picture, overlay, settings, markers, cursor, brush }) {
  const reference = referencePlane(cutout, campaign);
  const scale = reference.pixel_scale_arcsec ?? 1;
  const drawn = overlay ? mapLayers(overlay, settings) : null;
  return {
    unit: reference.pixel_scale_arcsec ? "″" : " px",
    pixel: scale,
    extent: [picture.width, picture.height],
    picture,
    layers: drawn ? [drawn.layer] : [],
    contours: drawn ? drawn.contours : [],
    markers,
    cursor,
    brush,
    compass: compass(cutout),
  };
}
