// Pictures of cells: asked of workers in small batches, what is on screen first; kept for the pages around.

const BATCH = 20;
const FIRST_BATCH = 8; // so that drawing begins early
const AT_ONCE = 2; // batches that a worker has: one is fetched while the other is drawn
const WORKERS = 4;
const CELLS_KEPT = 2400;

export class CellPictures {
  /** `onPictures(pictures)` tells what has been drawn, `onProblem(error)` that a batch could not be had. */
  constructor({ campaign, onPictures, onProblem }) {
    Object.assign(this, { onPictures, onProblem });
    this.kept = new Map(); // by object, look and hash, the oldest first
    this.waiting = [];
    this.homes = new Map(); // worker by the first object of each batch
    this.expected = new Set(); // keys of what waits or is under way
    const count = Math.min(WORKERS, navigator.hardwareConcurrency || 2);
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
    for (const { keys } of this.waiting) keys.forEach((key) => this.expected.delete(key));
    this.waiting = [];
    this.wantAhead(entries, look);
  }

  /** Have these drawn when there is time. */
  wantAhead(entries, look) {
    // What is wanted is the newest: else it could make room for what it was wanted with.
    for (const entry of entries) if (this.ready(entry, look)) this.hold(keyOf(entry, look), this.ready(entry, look));
    const missing = entries.filter((entry) => !this.ready(entry, look) && !this.expected.has(keyOf(entry, look)));
    for (let at = 0, size = FIRST_BATCH; at < missing.length; at += size, size = BATCH) {
      const batch = missing.slice(at, at + size);
      const keys = batch.map((entry) => keyOf(entry, look));
      keys.forEach((key) => this.expected.add(key));
      this.waiting.push({ entries: batch, keys, look, worker: this.workerOf(batch[0]) });
    }
    this.send();
  }

  /** Who had an object draws it again, since it has the pixels. */
  workerOf({ object_id: objectId }) {
    if (!this.homes.has(objectId)) this.homes.set(objectId, this.workers[this.homes.size % this.workers.length]);
    return this.homes.get(objectId);
  }

  send() {
    const isFree = new Map(this.workers.map((worker) => [worker, AT_ONCE - worker.busy]));
    this.waiting = this.waiting.filter((batch) => {
      const room = isFree.get(batch.worker);
      if (room < 1) return true;
      isFree.set(batch.worker, room - 1);
      this.draw(batch);
      return false;
    });
  }

  async draw({ entries, keys, look, worker }) {
    try {
      const pictures = await worker.ask("cells", { entries: entries.map(({ object_id, planes_hash }) => ({ object_id, planes_hash })), look });
      keys.forEach((key) => this.expected.delete(key));
      pictures.forEach((picture, index) => this.keep(keys[index], picture));
      this.onPictures(entries);
    } catch (error) {
      keys.forEach((key) => this.expected.delete(key));
      this.onProblem(error);
    }
    this.send();
  }

  /** What a network says of these objects. */
  verdicts(wanted) {
    return this.workers[0].ask("verdicts", wanted);
  }

  hold(key, picture) {
    this.kept.delete(key);
    this.kept.set(key, picture);
  }

  keep(key, picture) {
    this.hold(key, picture);
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
    this.worker.onerror = ({ message }) => {
      for (const { reject } of this.asked.values()) reject(new Error(message));
      this.asked.clear();
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
