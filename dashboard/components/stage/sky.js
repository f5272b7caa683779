// Positions: pixels, offsets in arcsec from the centre, sky coordinates, and how they are written.

const ARCSEC = Math.PI / 180 / 3600;

/** (ra_deg, dec_deg) of an offset from the cutout's centre; null where the orientation is not known. */
export function skyOf({ centre_deg, cd_deg }, xArcsec, yArcsec) {
  if (!cd_deg || !centre_deg) return null;
  const [ra_deg, dec_deg] = centre_deg;
  const [cd11, cd12, cd21, cd22] = cd_deg;
  const scale = 3600 * Math.sqrt(Math.abs(cd11 * cd22 - cd12 * cd21));
  const [dx, dy] = [xArcsec / scale, yArcsec / scale];
  const xi = (cd11 * dx + cd12 * dy) * 3600 * ARCSEC;
  const eta = (cd21 * dx + cd22 * dy) * 3600 * ARCSEC;
  const dec0 = (dec_deg * Math.PI) / 180;
  const denominator = Math.cos(dec0) - eta * Math.sin(dec0);
  const ra = ra_deg + (Math.atan2(xi, denominator) * 180) / Math.PI;
  const dec = Math.atan2(Math.sin(dec0) + eta * Math.cos(dec0), Math.hypot(xi, denominator));
  return { ra_deg: ((ra % 360) + 360) % 360, dec_deg: (dec * 180) / Math.PI };
}

/** Unit vectors (x right, y up) of north and east; null where the orientation is not known. */
export function compass({ cd_deg }) {
  if (!cd_deg) return null;
  const [cd11, cd12, cd21, cd22] = cd_deg;
  const determinant = cd11 * cd22 - cd12 * cd21;
  if (!determinant) return null;
  const unit = (x, y) => [x / Math.hypot(x, y), y / Math.hypot(x, y)];
  return { east: unit(cd22 / determinant, -cd21 / determinant), north: unit(-cd12 / determinant, cd11 / determinant) };
}

function sexagesimal(value, decimals) {
  const factor = 10 ** decimals;
  let units = Math.round(Math.abs(value) * 3600 * factor);
  const seconds = units % (60 * factor);
  units = (units - seconds) / (60 * factor);
  const width = decimals ? 3 + decimals : 2;
  return [Math.floor(units / 60), units % 60].map((n) => String(n).padStart(2, "0"))
    .concat((seconds / factor).toFixed(decimals).padStart(width, "0"));
}

export function formatRa(raDeg, decimals = 2) {
  const [h, m, s] = sexagesimal((((raDeg % 360) + 360) % 360) / 15, decimals);
  return `${h}h${m}m${s}s`;
}

export function formatDec(decDeg, decimals = 1) {
  const [d, m, s] = sexagesimal(decDeg, decimals);
  return `${decDeg < 0 ? "−" : "+"}${d}°${m}′${s}″`;
}

/** A number with enough digits to be read, not more. */
export function formatFlux(value) {
  if (!Number.isFinite(value)) return "no data";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-2 || size >= 1e5) ? value.toExponential(2) : value.toPrecision(4);
}
