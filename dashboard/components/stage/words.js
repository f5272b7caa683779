// Numbers as the page writes them.

/** A probability: two decimals, four where that says nothing. */
export const writtenP = (p) => p.toFixed(p > 0.995 || p < 0.005 ? 4 : 2);

/** With its sign, a minus as it is printed. */
export const writtenOffset = (value, decimals = 2) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(decimals)}`;
