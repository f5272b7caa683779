// Numbers as the page writes them.

/** A probability: two decimals, four where that says nothing. */
export const writtenP = (p) => p.toFixed(p > 0.995 || p < 0.005 ? 4 : 2);

/** With its sign, a minus as it is printed. */
export function writtenOffset(value, decimals = 2) {
  const size = Math.abs(value).toFixed(decimals);
  return `${value < 0 && Number(size) !== 0 ? "−" : "+"}${size}`;
}
