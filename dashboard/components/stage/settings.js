// How the inspector likes to look at things: kept in the browser, the same for every candidate.

const KEY = "lensvet:settings";

export const DEFAULTS = {
  view: "composite", stretch: "asinh", softening: 10, black: -0.5, white: 0, inverted: false, smooth: false,
  method: null, opacity: 0.6, contours: false, position: true, dark: true,
  bars: true, side: 10, zoom: 1, // of the mosaic: score bars, cells in a row, how much closer
};

const RANGES = { softening: [1, 40], black: [-3, 20], white: [-0.8, 0.8], opacity: [0, 1] };

export function loadSettings() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY)) };
  } catch {
    return { ...DEFAULTS };
  }
}

export function saveSettings(settings) {
  localStorage.setItem(KEY, JSON.stringify(settings));
}

/** The value kept within what its slider allows. */
export function within(name, value) {
  const [low, high] = RANGES[name] ?? [-Infinity, Infinity];
  return Math.min(high, Math.max(low, value));
}

/** Only what changes pixels: the key under which a drawn picture is kept. */
export const pixelSettings = ({ stretch, softening, black, white, inverted }) => ({ stretch, softening, black, white, inverted });
