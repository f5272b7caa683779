// Keys to verbs: single keys, chords (a group, then a letter), and the crosshair that sets marks without a pointer.

import { BINDINGS, bindingOf, isTyping, whatIfBindingOf } from "./keys.js";

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class Keyboard {
  /** `actions` are the verbs; `terms` maps each chord to its choices; `showChord(name)` lights it up; `bindings` are of `keys.js`. */
  constructor({ actions, terms, showChord, isBusy, bindings = BINDINGS }) {
    Object.assign(this, { actions, terms, showChord, isBusy, bindings });
    this.chordName = null;
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
  }

  chord(name) {
    this.chordName = name;
    this.showChord(name);
  }

  key(event) {
    if (isTyping(event)) {
      if (event.key === "Escape") event.composedPath()[0].blur();
      return;
    }
    if (this.isBusy(event)) return;
    this.isShifted = event.shiftKey;
    if (this.chordName ? this.chordKey(event) : this.plainKey(event)) event.preventDefault();
  }

  chordKey(event) {
    const name = this.chordName;
    this.chord(null);
    const term = this.terms[name].find(({ key }) => key.toLowerCase() === event.key.toLowerCase());
    if (term) this.actions.choose(name, term.id);
    return true;
  }

  plainKey(event) {
    if (this.actions.marking?.()) return this.markKey(event);
    const binding = (this.actions.experimenting?.() && whatIfBindingOf(event)) || bindingOf(event, this.bindings);
    if (!binding || onControl(event)) return false;
    const [action, argument] = binding;
    if (action === "moveBrush") return this.moved(event, this.actions.moveBrush);
    if (event.repeat && ["grade", "skip", "undo"].includes(action)) return true; // a held key is one decision
    this.actions[action](argument);
    return true;
  }

  /** A step of a pixel along an arrow key, of ten with Shift. */
  moved(event, move) {
    move(ARROWS[event.key].map((step) => step * (event.shiftKey ? 10 : 1)));
    return true;
  }

  markKey(event) {
    if (event.key in ARROWS) this.moved(event, this.actions.moveMark);
    else if (event.key === "Enter" || event.key === " ") this.actions.setMark();
    else if (event.key === "Escape") this.actions.escape();
    else return false;
    return true;
  }
}

/** Space and Enter press the button, arrows move the slider, that has the focus. */
function onControl(event) {
  const [target] = event.composedPath();
  if (target.tagName === "BUTTON") return [" ", "Enter"].includes(event.key);
  return target.tagName === "INPUT" && event.key.startsWith("Arrow");
}
