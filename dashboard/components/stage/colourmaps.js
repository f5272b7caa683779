// Perceptually uniform colour maps, safe for colour-blind readers, as a few control points in sRGB.

// Sequential: after "inferno" without its black end, so that a faint map does not darken the sky.
const SEQUENTIAL = [
  [66, 10, 104], [106, 23, 110], [147, 38, 103], [188, 55, 84], [221, 81, 58], [243, 120, 25], [252, 165, 10], [246, 215, 70], [252, 255, 164],
];
// Diverging about zero: blue, light grey, orange.
const DIVERGING = [
  [33, 102, 222], [86, 147, 240], [150, 190, 248], [214, 224, 238], [240, 240, 240], [250, 222, 190], [253, 184, 99], [240, 138, 36], [201, 90, 4],
];

const SIZE = 256;

function table(points) {
  return Array.from({ length: SIZE }, (_, i) => {
    const at = (i / (SIZE - 1)) * (points.length - 1);
    const k = Math.min(points.length - 2, Math.floor(at));
    return points[k].map((value, c) => value + (at - k) * (points[k + 1][c] - value));
  });
}

export const COLOUR_MAPS = { sequential: table(SEQUENTIAL), diverging: table(DIVERGING) };

/** The map that suits signed or unsigned values. */
export const coloursFor = (signed) => COLOUR_MAPS[signed ? "diverging" : "sequential"];

/** Colour at x in [0, 1]. */
export function sample(colours, x) {
  return colours[Math.min(SIZE - 1, Math.max(0, Math.round(x * (SIZE - 1))))];
}

/** The map as a CSS gradient, for the scale beside it. */
export function gradient(colours) {
  const stops = [0, 0.25, 0.5, 0.75, 1].map((x) => `rgb(${sample(colours, x).map(Math.round).join(" ")})`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
