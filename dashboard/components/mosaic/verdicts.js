// What a network says of the cells: scores, positions and stored maps, asked for by the page and kept.

const BATCH = 100;
const KEPT = 2400;

export class Verdicts {
  /** `look`: {model, method, side}, null where nothing is asked. */
  constructor({ pictures, onVerdicts, onProblem }) {
    Object.assign(this, { pictures, onVerdicts, onProblem, look: null });
    this.forget();
  }

  forget() {
    this.kept?.forEach((verdict) => verdict?.layer?.bitmap.close());
    this.kept = new Map(); // by look and object; null while it is under way
  }

  ready(objectId) {
    return this.look && this.kept.get(keyOf(objectId, this.look));
  }

  want(entries) {
    const { look, kept } = this;
    if (!look) return;
    for (const { object_id: id } of entries) {
      const held = kept.get(keyOf(id, look));
      if (held && kept.delete(keyOf(id, look))) kept.set(keyOf(id, look), held); // the newest now
    }
    const missing = entries.filter(({ object_id: id }) => !kept.has(keyOf(id, look)));
    for (let at = 0; at < missing.length; at += BATCH) this.ask(missing.slice(at, at + BATCH), look, kept);
  }

  async ask(entries, look, kept) {
    entries.forEach(({ object_id: id }) => kept.set(keyOf(id, look), null));
    try {
      const found = await this.pictures.verdicts({ entries: entries.map(({ object_id }) => ({ object_id })), ...look });
      found.forEach((verdict) => kept.set(keyOf(verdict.object_id, look), verdict));
      for (const [oldest, verdict] of kept) {
        if (kept.size <= KEPT) break;
        verdict?.layer?.bitmap.close();
        kept.delete(oldest);
      }
      if (kept === this.kept) this.onVerdicts();
    } catch (error) {
      entries.forEach(({ object_id: id }) => kept.delete(keyOf(id, look)));
      if (error.status) this.onProblem(error); // else the server is away, which the poll notices
    }
  }
}

const keyOf = (objectId, { model, method, side }) => JSON.stringify([objectId, model, method, method && side]);
