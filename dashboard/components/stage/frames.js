// Binary frames of the API: four letters, header length, JSON header, then float32 planes (row 0 at the bottom).

const HEADER_START = 8;

/** Decode a frame. Returns {header, dataStart}. Throws if the letters are not those expected. */
function open(buffer, magic) {
  const view = new DataView(buffer);
  const letters = String.fromCharCode(...new Uint8Array(buffer, 0, 4));
  if (letters !== magic) throw new Error(`expected a ${magic} frame, got ${letters}`);
  const length = view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, HEADER_START, length)));
  return { header, dataStart: HEADER_START + length };
}

/** Planes of a cutout: {object_id, planes_hash, …, planes: [{band, width, height, flux: Float32Array, …}]}. */
export function decodePlanes(buffer) {
  const { header, dataStart } = open(buffer, "LVP1");
  return { ...header, planes: header.planes.map(fluxIn(buffer, dataStart)) };
}

const fluxIn = (buffer, dataStart) => (plane) => {
  const [height, width] = plane.shape;
  return { ...plane, height, width, flux: new Float32Array(buffer, dataStart + plane.offset, height * width) };
};

/** An answer to what if: {before, now, hidden, patches: [{band, x_px, y_px, width, height, values}], map: {width, height, values, …}}. */
export function decodeWhatIf(buffer) {
  const { header, dataStart } = open(buffer, "LVW1");
  const withValues = (entry) => {
    const [height, width] = entry.shape;
    return { ...entry, height, width, values: new Float32Array(buffer, dataStart + entry.offset, height * width) };
  };
  return { ...header, patches: header.patches.map(withValues), map: header.map && withValues(header.map) };
}

/** Many cutouts as cells: [{object_id, planes_hash, kind, planes, problem}]. */
export function decodeCells(buffer) {
  const { header, dataStart } = open(buffer, "LVC1");
  return header.cells.map(({ planes = [], ...cell }) => ({ ...cell, planes: planes.map(fluxIn(buffer, dataStart)) }));
}

/** What a network says of many objects: [{object_id, p_lens, x_arcsec, y_arcsec, position_sigma_arcsec, map}]. */
export function decodeVerdicts(buffer) {
  const { header: { signed, verdicts }, dataStart } = open(buffer, "LVV1");
  return verdicts.map(({ map, ...verdict }) => {
    if (!map) return { ...verdict, map: null };
    const [height, width] = map.shape;
    return { ...verdict, map: { ...map, signed, height, width, values: new Float32Array(buffer, dataStart + map.offset, height * width) } };
  });
}

/** An explanation map: {method, signed, unit, position, width, height, values: Float32Array}. */
export function decodeMap(buffer) {
  const { header, dataStart } = open(buffer, "LVM1");
  const [height, width] = header.shape;
  return { ...header, height, width, values: new Float32Array(buffer, dataStart, height * width) };
}
