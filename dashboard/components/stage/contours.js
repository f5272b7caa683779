// Lines of equal value through a map: marching squares, one segment list per level.

// Edges of a cell: 0 bottom, 1 right, 2 top, 3 left; for each of the 16 cases the pairs of edges that a line joins.
const JOINED = [
  [], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 2], [0, 1]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[0, 2]], [[0, 3], [1, 2]], [[1, 2]], [[1, 3]], [[0, 1]], [[0, 3]], [],
];

/** Segments [x1, y1, x2, y2] in pixel indices (y up) where the map crosses `level`. Cells with NaN are left out. */
export function contour({ values, width, height }, level) {
  const segments = [];
  for (let y = 0; y + 1 < height; y++) {
    for (let x = 0; x + 1 < width; x++) {
      const i = y * width + x;
      const corners = [values[i], values[i + 1], values[i + width + 1], values[i + width]];
      if (corners.some(Number.isNaN)) continue;
      const which = corners.reduce((bits, value, k) => bits | ((value >= level) << k), 0);
      for (const [from, to] of JOINED[which]) {
        segments.push([...crossing(corners, from, level, x, y), ...crossing(corners, to, level, x, y)]);
      }
    }
  }
  return segments;
}

function crossing([bottomLeft, bottomRight, topRight, topLeft], edge, level, x, y) {
  const between = (a, b) => (level - a) / (b - a);
  switch (edge) {
    case 0: return [x + between(bottomLeft, bottomRight), y];
    case 1: return [x + 1, y + between(bottomRight, topRight)];
    case 2: return [x + between(topLeft, topRight), y + 1];
    default: return [x, y + between(bottomLeft, topLeft)];
  }
}
