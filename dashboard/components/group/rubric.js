// What the grades of a session mean, with an example of each where a lead has chosen one.

import { API, getJson, objectPath } from "../stage/api.js";
import { drawThumbnail, h } from "../stage/dom.js";
import { decodePlanes } from "../stage/frames.js";
import { Pictures, viewsOf } from "../stage/scene.js";
import { DEFAULTS, pixelSettings } from "../stage/settings.js";

const SIDE = 168;

export async function rubric(session, campaign) {
  const { note, examples } = await getJson(`sessions/${encodeURIComponent(session.session_id)}`);
  const pictures = new Pictures(campaign);
  const grades = campaign.grades.map(({ id, definition }) => {
    const example = examples?.[id];
    const canvas = example && h("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": `an example of ${id}` });
    if (example) draw(canvas, example, pictures).catch(() => canvas.remove());
    return h("div", {}, canvas, h("span", {}, h("span", { class: "letter", "data-grade": id }, id), ` ${definition}`));
  });
  return h("div", {}, note && h("p", { class: "note" }, note), h("div", { class: "rubric", "data-testid": "rubric" }, grades));
}

async function draw(canvas, { object_id: objectId, planes_hash: hash }, pictures) {
  const response = await fetch(`${API}/${objectPath(objectId)}/planes?hash=${hash}`);
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const cutout = decodePlanes(await response.arrayBuffer());
  drawThumbnail(canvas, pictures.picture(cutout, viewsOf(cutout)[0], pixelSettings(DEFAULTS)));
}
