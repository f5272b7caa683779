// Pictures of cells: asked of workers in small batches, what is on screen first; kept for the pages around.

const BATCH = 20;
const AT_ONCE = 2; // batches that a worker has: one is fetched while the other is drawn
const CELLS_KEPT = 2400;

export class CellPictures {
  /** `onPictures(pictures)` tells what has been drawn, `onProblem(error)` that a batch could not be had. */
  constructor({ campaign, onPictures, onProblem }) {
    Object.assign(this, { onPictures, onProblem });
    this.kept = new Map(); // by object, look and hash, the oldest first
    this.waiting = [];
    this.underWay = new Set();
    const count = Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1));
    this.workers = Array.from({ length: count }, () => new Drawer(campaign));
  }

  destroy() {
    this.waiting = [];
    this.workers.forEach((worker) => worker.end());
  }

  /** The picture if it is here. */
  ready(entry, look) {
    return this.kept.get(keyOf(entry, look));
  }

  /** Have these drawn now, before all else; what was only wanted ahead waits. */
  want(entries, look) {
    this.waiting = [];
    this.wantAhead(entries, look);
  }

  /** Have these drawn when there is time. */
  wantAhead(entries, look) {
    const missing = entries.filter((entry) => !this.ready(entry, look) && !this.underWay.has(keyOf(entry, look)));
    for (let at = 0; at < missing.length; at += BATCH) this.waiting.push({ entries: missing.slice(at, at + BATCH), look });
    this.send();
  }

  send() {
    for (const worker of this.workers) {
      while (this.waiting.length && worker.busy < AT_ONCE) this.draw(worker, this.waiting.shift());
    }
  }

  async draw(worker, { entries, look }) {
    const keys = entries.map((entry) => keyOf(entry, look));
    keys.forEach((key) => this.underWay.add(key));
    try {
      const pictures = await worker.ask("cells", { entries: entries.map(({ object_id, planes_hash }) => ({ object_id, planes_hash })), look });
      pictures.forEach((picture, index) => this.keep(keys[index], picture));
      keys.forEach((key) => this.underWay.delete(key));
      this.onPictures(entries);
    } catch (error) {
      keys.forEach((key) => this.underWay.delete(key));
      this.onProblem(error);
    }
    this.send();
  }

  /** What a network says of these objects. */
  verdicts(wanted) {
    return this.workers[0].ask("verdicts", wanted);
  }

  keep(key, picture) {
    this.kept.set(key, picture);
    for (const [oldest, other] of this.kept) {
      if (this.kept.size <= CELLS_KEPT) break;
      other.bitmap?.close();
      this.kept.delete(oldest);
    }
  }
}

const keyOf = ({ object_id, planes_hash }, look) => JSON.stringify([object_id, planes_hash, look]);

/** One worker, as promises. */
class Drawer {
  constructor(campaign) {
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.asked = new Map();
    this.count = 0;
    this.worker.onmessage = ({ data: { id, answer, error } }) => {
      const { resolve, reject } = this.asked.get(id);
      this.asked.delete(id);
      if (error) reject(Object.assign(new Error(error.message), { status: error.status }));
      else resolve(answer);
    };
    const { composite, reference_band, composite_neutral_mag, psf_fwhm_arcsec } = campaign;
    this.ask("begin", { campaign: { composite, reference_band, composite_neutral_mag, psf_fwhm_arcsec } });
  }

  get busy() {
    return this.asked.size;
  }

  ask(job, wanted) {
    this.count += 1;
    return new Promise((resolve, reject) => {
      this.asked.set(this.count, { resolve, reject });
      this.worker.postMessage({ id: this.count, job, ...wanted });
    });
  }

  end() {
    this.worker.terminate();
  }
}
