// The REST API, and what it gave: planes, maps and details are kept for the candidates around the current one.

import { decodeMap, decodePlanes, decodeWhatIf } from "./frames.js";

export const API = "/api/v1";
const PLANES_KEPT_BYTES = 192 * 2 ** 20;
const DETAILS_KEPT = 400;

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function answer(response) {
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new ApiError(response.status, detailOf(body) ?? `the server answered ${response.status}`);
}

const detailOf = ({ detail }) => (typeof detail === "string" || detail == null ? detail : JSON.stringify(detail));

/** Fetch, or say in words that there was no answer. */
async function asked(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    throw new Error("the server is away: trying again", { cause: error });
  }
}

export async function getJson(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value != null && value !== ""));
  return (await answer(await asked(`${API}/${path}?${query}`, { cache: "no-store" }))).json();
}

const jsonPost = (content) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });

/** What a network says of changed pixels. Throws an ApiError if it cannot judge them. */
export async function askWhatIf(question, signal) {
  const response = await answer(await asked(`${API}/what-if`, { ...jsonPost(question), signal }));
  return decodeWhatIf(await response.arrayBuffer());
}

/** Post JSON for a binary answer; rejects with an ApiError if it is refused. */
export async function postForBytes(path, content) {
  return (await answer(await asked(`${API}/${path}`, jsonPost(content)))).arrayBuffer();
}

/** Post JSON; resolves to {status, body} for every answer, rejects only when there is none. */
export async function postJson(path, content) {
  const response = await fetch(`${API}/${path}`, jsonPost(content));
  return { status: response.status, body: await response.json().catch(() => null) };
}

export const objectPath = (objectId) => `objects/${encodeURIComponent(objectId)}`;

/** A map from key to promise that forgets the oldest entries past a budget; failures are forgotten at once. */
class Kept {
  constructor(budget, sizeOf) {
    Object.assign(this, { budget, sizeOf, entries: new Map(), total: 0 });
  }

  get(key, make) {
    const held = this.entries.get(key);
    if (held) {
      this.entries.delete(key);
      this.entries.set(key, held);
      return held.promise;
    }
    const entry = { size: 0, value: undefined };
    entry.promise = make().then(
      (value) => {
        entry.value = value;
        if (this.entries.get(key) === entry) this.account(entry, this.sizeOf(value));
        return value;
      },
      (error) => {
        if (this.entries.get(key) === entry) this.entries.delete(key);
        throw error;
      },
    );
    this.entries.set(key, entry);
    return entry.promise;
  }

  /** The value if it is here already, else undefined. */
  ready(key) {
    return this.entries.get(key)?.value;
  }

  forget(key) {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.total -= entry.size;
    this.entries.delete(key);
  }

  account(entry, size) {
    entry.size = size;
    this.total += size;
    for (const [key, oldest] of this.entries) {
      if (this.total <= this.budget) break;
      if (oldest !== entry && oldest.size) this.forget(key);
    }
  }
}

/** What the server knows of candidates, asked for once. */
export class Candidates {
  constructor() {
    this.planesKept = new Kept(PLANES_KEPT_BYTES, (cutout) => cutout.planes.reduce((n, p) => n + p.flux.byteLength, 0));
    this.detailsKept = new Kept(DETAILS_KEPT, () => 1);
    this.mapsKept = new Kept(64 * 2 ** 20, (map) => map.values?.byteLength ?? 64);
  }

  /** Decoded planes; the hash makes the address immutable, so that the browser never asks twice. */
  planes({ object_id, planes_hash }) {
    return this.planesKept.get(object_id, async () => {
      const response = await answer(await asked(`${API}/${objectPath(object_id)}/planes?hash=${planes_hash ?? ""}`));
      return decodePlanes(await response.arrayBuffer());
    });
  }

  planesReady(objectId) {
    return this.planesKept.ready(objectId);
  }

  details(objectId) {
    return this.detailsKept.get(objectId, () => getJson(objectPath(objectId)));
  }

  detailsReady(objectId) {
    return this.detailsKept.ready(objectId);
  }

  forgetAllDetails() {
    this.detailsKept = new Kept(DETAILS_KEPT, () => 1);
  }

  forgetDetails(objectId) {
    this.detailsKept.forget(objectId);
  }

  map(objectId, modelVersion, method) {
    return this.mapsKept.get(mapKey(objectId, modelVersion, method), () => fetchMap(objectId, modelVersion, method, "fine"));
  }

  /** A map that is there soon: coarse, or fine if the server has that already. */
  async coarseMap(objectId, modelVersion, method) {
    const map = await fetchMap(objectId, modelVersion, method, "coarse");
    return map.quality === "fine" ? this.mapsKept.get(mapKey(objectId, modelVersion, method), async () => map) : map;
  }

  /** Have the server compute maps that will be wanted next; they come when they are asked for. */
  computeAhead(modelVersion, methods, objectIds) {
    postJson("maps/ahead", { model: modelVersion, methods, object_ids: objectIds }).catch(() => {});
  }

  mapReady(objectId, modelVersion, method) {
    return this.mapsKept.ready(mapKey(objectId, modelVersion, method));
  }
}

async function fetchMap(objectId, modelVersion, method, quality) {
  const address = `${objectPath(objectId)}/maps/${encodeURIComponent(modelVersion)}/${encodeURIComponent(method)}?quality=${quality}`;
  return decodeMap(await (await answer(await asked(`${API}/${address}`))).arrayBuffer());
}

const mapKey = (...parts) => JSON.stringify(parts);
