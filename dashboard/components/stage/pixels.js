// From flux to colour: statistics, stretch, single band and Lupton composite. Pure: arrays in, ImageData out.

import { sample } from "./colourmaps.js";

export const STRETCHES = ["asinh", "log", "sqrt", "linear"];

const SAMPLE = 16384; // pixels looked at for statistics: enough for a percentile, quick for 600 px

/** Median, scatter (1.4826 MAD) and extremes of the finite pixels; null if there are none. */
export function statistics(flux) {
  const step = Math.max(1, Math.floor(flux.length / SAMPLE));
  const sample = new Float32Array(Math.ceil(flux.length / step));
  let count = 0;
  let [minimum, maximum] = [Infinity, -Infinity];
  for (let i = 0; i < flux.length; i++) {
    const value = flux[i];
    if (!Number.isFinite(value)) continue;
    if (value > maximum) maximum = value;
    if (i % step !== 0) continue;
    sample[count++] = value;
    if (value < minimum) minimum = value;
  }
  if (!count) return null;
  const values = sample.subarray(0, count);
  const median = ranked(values, count >> 1);
  const bright = ranked(values, Math.floor(0.998 * (count - 1)));
  for (let i = 0; i < count; i++) values[i] = Math.abs(values[i] - median);
  const sigma = 1.4826 * ranked(values, count >> 1) || (maximum - minimum) / 100 || 1;
  return { median, sigma, maximum, bright };
}

/** The value of that rank, 0 the smallest (Hoare's selection); puts the values into another order. */
function ranked(values, rank) {
  let [left, right] = [0, values.length - 1];
  while (left < right) {
    const pivot = values[(left + right) >> 1];
    let [i, j] = [left, right];
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const value = values[i];
      values[i++] = values[j];
      values[j--] = value;
    }
    if (rank <= j) right = j;
    else if (rank >= i) left = i;
    else break;
  }
  return values[rank];
}

/**
 * Flux at which the picture is black and white. `black` counts scatters above the median (0 is the sky);
 * `white` runs from 0 (just above the noise) to 1 (the brightest pixel), in equal ratios.
 */
export function limits(stats, { black, white }) {
  const low = stats.median + black * stats.sigma;
  const nearest = 3 * stats.sigma;
  const farthest = Math.max(stats.maximum - stats.median, 2 * nearest);
  return { low, high: Math.max(stats.median + nearest * (farthest / nearest) ** white, low + 1e-3 * stats.sigma) };
}

/** White point that suits these pixels: the brightest 0.2 % saturate. */
export function suitableWhite(stats) {
  const nearest = 3 * stats.sigma;
  const farthest = Math.max(stats.maximum - stats.median, 2 * nearest);
  const wanted = Math.max(stats.bright - stats.median, nearest);
  return Math.min(1, Math.max(0.05, Math.log(wanted / nearest) / Math.log(farthest / nearest)));
}

/** The stretch as a function of x in [0, 1]; `softening` is Q of Lupton et al. 2004 (PASP 116, 133). */
export function stretchFunction(name, softening) {
  switch (name) {
    case "asinh": {
      const norm = Math.asinh(softening);
      return (x) => Math.asinh(softening * x) / norm;
    }
    case "log": {
      const steep = softening * softening + 1;
      const norm = Math.log1p(steep);
      return (x) => Math.log1p(steep * x) / norm;
    }
    case "sqrt":
      return Math.sqrt;
    default:
      return (x) => x;
  }
}

const TABLE_SIZE = 4096;

/** The stretch tabulated on [0, 1], scaled to 0…255. */
function stretchTable({ stretch, softening }) {
  const f = stretchFunction(stretch, softening);
  return Float32Array.from({ length: TABLE_SIZE + 1 }, (_, i) => 255 * f(i / TABLE_SIZE));
}

const MISSING = [88, 58, 92]; // unmeasured pixels: a colour that neither scale contains

/** One band, grey. Returns ImageData with the first row on top. */
export function renderBand(plane, stats, view) {
  const { width, height, flux } = plane;
  const image = new ImageData(width, height);
  if (!stats) return fillMissing(image);
  const { low, high } = limits(stats, view);
  const table = stretchTable(view);
  const scale = TABLE_SIZE / (high - low);
  const out = image.data;
  for (let y = 0; y < height; y++) {
    let o = 4 * width * (height - 1 - y);
    for (let x = 0, i = y * width; x < width; x++, i++, o += 4) {
      const value = flux[i];
      if (value === value) {
        const level = table[Math.min(TABLE_SIZE, Math.max(0, ((value - low) * scale) | 0))];
        const grey = view.inverted ? 255 - level : level;
        out[o] = out[o + 1] = out[o + 2] = grey;
      } else {
        out.set(MISSING, o);
      }
      out[o + 3] = 255;
    }
  }
  return image;
}

function fillMissing(image) {
  for (let o = 0; o < image.data.length; o += 4) image.data.set([...MISSING, 255], o);
  return image;
}

/** Bilinear resampling of a plane to the grid of another, both centred on the same point of the sky. */
export function resampled(plane, grid) {
  const ratio = (grid.pixel_scale_arcsec ?? 1) / (plane.pixel_scale_arcsec ?? 1);
  if (plane.width === grid.width && plane.height === grid.height && Math.abs(ratio - 1) < 1e-6) return plane.flux;
  const out = new Float32Array(grid.width * grid.height).fill(NaN);
  const at = (n, from, i) => (i - (from - 1) / 2) * ratio + (n - 1) / 2;
  for (let y = 0; y < grid.height; y++) {
    const sy = at(plane.height, grid.height, y);
    const y0 = Math.floor(sy);
    if (y0 < 0 || y0 + 1 >= plane.height) continue;
    for (let x = 0; x < grid.width; x++) {
      const sx = at(plane.width, grid.width, x);
      const x0 = Math.floor(sx);
      if (x0 < 0 || x0 + 1 >= plane.width) continue;
      const i = y0 * plane.width + x0;
      const [fx, fy] = [sx - x0, sy - y0];
      const bottom = plane.flux[i] * (1 - fx) + plane.flux[i + 1] * fx;
      const top = plane.flux[i + plane.width] * (1 - fx) + plane.flux[i + plane.width + 1] * fx;
      out[y * grid.width + x] = bottom * (1 - fy) + top * fy;
    }
  }
  return out;
}

/** Gaussian blur, `sigma` in pixels; unmeasured pixels stay so and give nothing to their neighbours. */
export function blurred(flux, { width, height }, sigma) {
  const reach = Math.ceil(3 * sigma);
  const weights = Float64Array.from({ length: reach + 1 }, (_, distance) => Math.exp(-((distance / sigma) ** 2) / 2));
  const rows = blurredAlong(flux, weights, width, height, 1, width);
  return blurredAlong(rows, weights, height, width, width, 1);
}

function blurredAlong(flux, weights, length, lines, step, lineStep) {
  const out = new Float32Array(flux.length);
  const reach = weights.length - 1;
  // A line with room at both ends, which count as unmeasured: no pixel of it is a special case.
  const values = new Float64Array(length + 2 * reach);
  const measured = new Float64Array(length + 2 * reach).fill(1, reach, reach + length);
  const sums = new Float64Array(length);
  const whole = weighted(measured, weights, new Float64Array(length));
  const parts = new Float64Array(length);
  for (let line = 0; line < lines; line++) {
    const first = line * lineStep;
    let gaps = 0;
    for (let at = reach, i = first; at < reach + length; at++, i += step) {
      const value = flux[i];
      const isMeasured = value === value;
      values[at] = isMeasured ? value : 0;
      if (!isMeasured) gaps++;
    }
    weighted(values, weights, sums);
    if (!gaps) {
      for (let at = 0, i = first; at < length; at++, i += step) out[i] = sums[at] / whole[at];
      continue;
    }
    for (let at = 0, i = first; at < length; at++, i += step) measured[at + reach] = flux[i] === flux[i] ? 1 : 0;
    weighted(measured, weights, parts);
    for (let at = 0, i = first; at < length; at++, i += step) out[i] = measured[at + reach] ? sums[at] / parts[at] : NaN;
  }
  return out;
}

/** Fills `out` with sums of `values` about each place, which are as far apart as `weights` goes from 0 on both sides. */
function weighted(values, weights, out) {
  const reach = weights.length - 1;
  for (let at = 0; at < out.length; at++) {
    const middle = at + reach;
    let sum = values[middle] * weights[0];
    for (let k = 1; k <= reach; k++) sum += (values[middle - k] + values[middle + k]) * weights[k];
    out[at] = sum;
  }
  return out;
}

/**
 * Colour composite after Lupton et al. 2004: the stretch acts on the mean intensity, so that colour is kept
 * at every brightness; too bright pixels are scaled down as a whole. `channels` are three {flux, matched, low, high,
 * sigma} (R, G, B). Hue comes from `matched`, where all bands have one PSF, and brightness from `flux`: else a band that is
 * sharper than the others would paint the middle of every galaxy in its colour.
 */
export function renderComposite(channels, { width, height }, view) {
  const image = new ImageData(width, height);
  const out = image.data;
  const table = stretchTable(view);
  const [r, g, b] = channels.map((c) => c.flux);
  const [rm, gm, bm] = channels.map((c) => c.matched);
  const [r0, g0, b0] = channels.map((c) => c.low);
  const [rs, gs, bs] = channels.map((c) => 1 / (c.high - c.low));
  const noise = channels.reduce((sum, c) => sum + c.sigma / (c.high - c.low), 0) / 3;
  for (let y = 0; y < height; y++) {
    let o = 4 * width * (height - 1 - y);
    for (let x = 0, i = y * width; x < width; x++, i++, o += 4) {
      // `noise` is added to all three alike: where there is nothing but sky, the colour is grey.
      const red = Math.max((rm[i] - r0) * rs, 0) + noise;
      const green = Math.max((gm[i] - g0) * gs, 0) + noise;
      const blue = Math.max((bm[i] - b0) * bs, 0) + noise;
      const intensity = ((r[i] - r0) * rs + (g[i] - g0) * gs + (b[i] - b0) * bs) / 3;
      out[o + 3] = 255;
      if (intensity !== intensity) {
        out.set(MISSING, o);
        continue;
      }
      if (intensity <= 0) continue;
      const factor = table[Math.min(TABLE_SIZE, (intensity * TABLE_SIZE) | 0)] / ((red + green + blue) / 3);
      const peak = Math.max(red, green, blue) * factor;
      const kept = peak > 255 ? (factor * 255) / peak : factor;
      out[o] = red * kept;
      out[o + 1] = green * kept;
      out[o + 2] = blue * kept;
    }
  }
  return image;
}

/** Display image that came as colour already (PNG, JPEG): shown as it is, within the limits asked for. */
export function renderColour(planes, view) {
  const [{ width, height }] = planes;
  const image = new ImageData(width, height);
  const gain = 4 ** (0.7 - view.white);
  const offset = 8 * (view.black + 1);
  planes.forEach(({ flux }, channel) => {
    for (let y = 0; y < height; y++) {
      let o = 4 * width * (height - 1 - y) + channel;
      for (let i = y * width; i < (y + 1) * width; i++, o += 4) image.data[o] = (flux[i] - offset) * gain;
    }
  });
  for (let o = 3; o < image.data.length; o += 4) image.data[o] = 255;
  return image;
}

const MAP_SHARE = 0.995; // of a map's pixels lie within its colour scale: one bright cell does not hide the rest

/**
 * Value at which a map's colour scale ends: of |value| for a signed map, of the positive values for others; 0 if none.
 * A map that is compared with another has that one's scale.
 */
export function mapScale({ values, signed, comparedWith }) {
  if (comparedWith) return mapScale(comparedWith);
  const sizes = (signed ? values.map(Math.abs) : values).filter((size) => size > 0 && size < Infinity).sort();
  return sizes.length ? sizes[Math.floor(MAP_SHARE * (sizes.length - 1))] : 0;
}

/** An explanation map as a transparent layer: where it says nothing, nothing is drawn. */
export function renderMap(map, colours, opacity) {
  const { width, height, values, signed } = map;
  const image = new ImageData(width, height);
  const peak = mapScale(map);
  if (!peak) return image;
  for (let y = 0; y < height; y++) {
    let o = 4 * width * (height - 1 - y);
    for (let i = y * width; i < (y + 1) * width; i++, o += 4) {
      const share = values[i] / peak;
      if (share !== share) continue;
      const strength = Math.min(1, Math.abs(signed ? share : Math.max(share, 0)));
      image.data.set(sample(colours, signed ? (share + 1) / 2 : share), o);
      image.data[o + 3] = 255 * opacity * Math.min(1, 1.6 * strength);
    }
  }
  return image;
}
