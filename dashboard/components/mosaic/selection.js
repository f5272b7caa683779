// Which cell the frame is on, and which are selected.

export class Selection {
  constructor() {
    this.chosen = new Set();
    this.begin(0);
  }

  /** The frame goes to a cell; nothing is selected. A range begins there. */
  begin(index) {
    this.cursor = this.anchor = index;
    this.clear();
  }

  clear() {
    this.chosen.clear();
    this.anchor = this.cursor;
  }

  /** All from where the range began, in reading order. */
  extendTo(index) {
    this.cursor = index;
    const [first, last] = [Math.min(this.anchor, index), Math.max(this.anchor, index)];
    this.chosen.clear();
    for (let at = first; at <= last; at++) this.chosen.add(at);
  }

  choose(indices) {
    this.chosen = new Set(indices);
  }

  step(by, count) {
    this.cursor = Math.min(this.cursor + by, count - 1);
  }

  /** The cells that a key is meant for: the selected ones, else the one in the frame. */
  indices(count) {
    const wanted = this.chosen.size ? [...this.chosen].sort((a, b) => a - b) : [this.cursor];
    return wanted.filter((index) => index < count);
  }
}
