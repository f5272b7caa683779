// The right side: what the object is, what the network says, and what the inspector says.

import { h, keyCap, setPressed, setText } from "./dom.js";
import { formatDec, formatRa } from "./sky.js";
import { writtenOffset, writtenP } from "./words.js";

const DISAGREEING = 0.2; // where/why below: 7 in 100 right responses of evidence-net to simulations, 69 in 100 of those elsewhere

export function sidebar({ campaign, actions }) {
  const parts = [identity(campaign, actions), verdict(), decision(campaign, actions), catalogue(), history(campaign)];
  return {
    element: h("aside", {}, parts.map(({ element }) => element)),
    update: (state) => parts.forEach((part) => part.update(state)),
    commentField: parts[2].commentField,
    showChord: parts[2].showChord,
  };
}

function identity({ session }, actions) {
  const name = h("h1", { "data-testid": "object-id" });
  const position = h("span", { class: "tabular" });
  const rank = h("span", { class: "dim tabular", title: "Place in this order of the queue", "data-testid": "rank" });
  const copy = h("button", { class: "plain", title: "Copy id and position", onclick: actions.copy }, "copy");
  const sky = h("a", { target: "_blank", rel: "noopener noreferrer", title: "This position in ESASky" }, "sky ↗");
  const warnings = h("ul", { class: "warnings" });
  const matches = crossmatch(actions);
  const element = h("section", { class: "identity" },
    h("div", { class: "line" }, name, h("span", { class: "spring" }), rank, copy, sky), h("div", { class: "dim" }, position), matches.element, warnings);
  return {
    element,
    update({ current, cutout, details, queue }) {
      matches.update(details);
      setText(rank, current?.rank ? `${current.rank.toLocaleString("en")} of ${queue.progress.total.toLocaleString("en")}` : "");
      const isTicket = Boolean(session && current);
      const known = details?.object_id === current?.object_id ? details : null;
      const title = isTicket ? known?.name ?? `candidate ${current.object_id.slice(0, 6)}` : current?.object_id ?? "";
      setText(name, title);
      name.title = isTicket && !known?.name ? "Its id and place come after your grade" : title;
      // In a session the pixels come without their place on the sky; what may be told comes with the details.
      const at = isTicket ? known : cutout;
      const isPlaced = at && at.ra_deg != null && at.dec_deg != null;
      setText(position, !cutout ? "" : isPlaced
        ? `${formatRa(at.ra_deg)} ${formatDec(at.dec_deg)} · ${at.ra_deg.toFixed(5)} ${at.dec_deg.toFixed(5)}°`
        : isTicket && !known?.name ? "id and place: after your grade" : "no position on the sky");
      sky.hidden = !isPlaced;
      if (isPlaced) sky.href = `https://sky.esa.int/esasky/?target=${at.ra_deg}%20${at.dec_deg}&fov=0.02&cooframe=J2000&sci=true`;
      const said = details?.warnings ?? [];
      if (warnings.dataset.said !== said.join()) {
        warnings.dataset.said = said.join();
        warnings.replaceChildren(...said.map((words) => h("li", {}, `⚠ ${words}`)));
      }
    },
  };
}

/** Which known lens it is, and whether it comes twice. */
function crossmatch(actions) {
  const element = h("div", { class: "crossmatch" });
  return {
    element,
    update(details) {
      const key = JSON.stringify([details?.crossmatch, details?.withheld]);
      if (element.dataset.key === key) return;
      element.dataset.key = key;
      element.replaceChildren(...crossmatchLines(details, actions));
    },
  };
}

function crossmatchLines(details, actions) {
  if (!details) return [];
  const { crossmatch: found, withheld } = details;
  if (!found) return withheld ? [] : [h("div", { class: "dim" }, "known lens or duplicate: not looked up yet")];
  return [...knownLensLines(found.known_lens), duplicateLine(found.duplicate_of, actions)].filter(Boolean);
}

function knownLensLines(lens) {
  if (!lens) return [];
  const said = `known lens: ${lens.name} (${[lens.grading, away(lens)].filter(Boolean).join(", ")}), ${lens.catalogue}`;
  const more = [lens.type, lens.z_lens == null ? null : `z ${Number(lens.z_lens.toPrecision(4))}`, lens.reference].filter(Boolean).join(" · ");
  return [
    h("div", { class: "known-lens", title: said, "data-testid": "known-lens" }, said),
    more ? h("div", { class: "dim", title: more, "data-testid": "known-lens-reference" }, more) : null,
  ];
}

function duplicateLine(duplicate, actions) {
  if (!duplicate) return null;
  const { object_id: objectId } = duplicate;
  const open = (event) => {
    event.preventDefault();
    actions.jumpTo(objectId);
  };
  const link = h("a", { href: `/vet?object=${encodeURIComponent(objectId)}`, title: `Open ${objectId}`, onclick: open }, objectId);
  return h("div", { class: "duplicate", "data-testid": "duplicate-of" }, "duplicate of ", link, `, ${away(duplicate)}`);
}

const away = ({ separation_arcsec: arcsec }) => `${arcsec.toFixed(1)}″ away`;

function verdict() {
  const element = h("section", { class: "verdict", "data-testid": "scores" });
  return {
    element,
    update({ details, model, models, explanation }) {
      const key = JSON.stringify([details?.object_id, details?.scores, details?.withheld, details?.truth, model?.version, explanation.map?.position, explanation.method]);
      if (element.dataset.key === key) return;
      element.dataset.key = key;
      element.replaceChildren(...verdictLines({ details, model, models, explanation }));
    },
  };
}

function verdictLines({ details, model, models, explanation }) {
  if (!details) return [h("div", { class: "dim" }, "…")];
  if (details.withheld) return [h("div", { class: "withheld", "data-testid": "withheld" }, "score, maps and other votes: after your grade")];
  const scores = [...(details.scores ?? [])].sort((a, b) => (b.model_version === model?.version) - (a.model_version === model?.version));
  const lines = scores.length ? scores.map((score, index) => scoreLine(score, models, index === 0)) : [h("div", { class: "dim" }, "not scored yet")];
  return [...lines, positionLine(scores[0], explanation), truthLine(details.truth)].filter(Boolean);
}

function scoreLine(score, models, first) {
  const { title = score.model_version, prior = null } = models.find(({ version }) => version === score.model_version) ?? {};
  if (score.p_lens == null) return h("div", { class: "dim refusal", title: score.reason }, `${title}: ${score.reason ?? "no score"}`);
  const name = prior == null ? "softmax" : "p_lens";
  const meaning = prior == null ? "not calibrated, no probability" : `a probability where ${oneIn(prior)} objects is a lens`;
  const logit = score.logit == null ? "" : `, logit ${score.logit.toFixed(2)}`;
  return h("div", { class: first ? "score first" : "score", title: `${score.model_version}${logit}: ${meaning}` },
    h("span", { class: "dim" }, name),
    h("meter", { min: 0, max: 1, value: score.p_lens, "aria-label": `${name} of ${title}` }),
    h("b", { class: "tabular" }, writtenP(score.p_lens)),
    h("span", { class: "model" }, h("span", {}, prior == null ? title : `${title} · prior ${oneIn(prior)}`), bandsHint(score)));
}

/** "VIS alone": from which bands this was judged, where the object lacks some of the model's. */
function bandsHint({ judged_from: bands }) {
  return bands ? h("span", { class: "bands-hint", "data-testid": "judged-from", title: `Judged from what there is: ${bands}` }, bands) : null;
}

function oneIn(share) {
  return `1 in ${Number((1 / share).toPrecision(2)).toLocaleString("en")}`;
}

function positionLine(score, explanation) {
  const lines = [];
  if (score?.x_arcsec != null) {
    const sigma = score.position_sigma_arcsec == null ? "" : ` ± ${score.position_sigma_arcsec.toFixed(2)}`;
    lines.push(`position by the network: x ${writtenOffset(score.x_arcsec)} y ${writtenOffset(score.y_arcsec)}${sigma}″ from the centre`);
  }
  const read = explanation.map?.position;
  if (read) lines.push(`position read off ${explanation.title}: x ${writtenOffset(read.x_arcsec)} y ${writtenOffset(read.y_arcsec)} ± ${read.sigma_arcsec.toFixed(2)}″`);
  if (score?.p_lens != null && score.x_arcsec == null && !read) lines.push("this network predicts no position: show a map to read one off it");
  if (score?.where_why != null) lines.push(`where/why ${score.where_why.toFixed(2)}${score.where_why < DISAGREEING ? " ⚠ map, position and light disagree" : ""}`);
  return lines.length ? h("div", { class: "dim tabular", "data-testid": "position-text" }, lines.join(" · ")) : null;
}

function truthLine(truth) {
  if (!truth || truth.class == null) return null;
  const radius = truth.theta_E_arcsec == null ? "" : `, θ_E ${Number(truth.theta_E_arcsec).toFixed(2)}″`;
  return h("div", { class: "truth", "data-testid": "truth" }, `truth: ${[truth.class, truth.subtype].filter(Boolean).join(", ")}${radius}`);
}

function decision(campaign, actions) {
  const grades = campaign.grades.map((grade) => h("button", {
    class: "grade", "data-testid": `grade-${grade.id}`, "data-grade": grade.id, title: `${grade.definition} (${grade.key})`,
    onclick: () => actions.grade(grade.id),
  }, keyCap(grade.id), grade.label));
  const groups = [
    chips({ name: "contaminant", key: "k", terms: campaign.contaminants, actions, many: false }),
    chips({ name: "tag", key: "t", terms: campaign.tags, actions, many: true }),
    chips({ name: "flag", key: "f", terms: campaign.flags, actions, many: false }),
  ];
  const commentField = h("textarea", {
    rows: 2, maxlength: 10000, placeholder: "comment (m)", title: "Comment (m), Esc leaves it", "aria-label": "Comment", "data-testid": "comment",
  });
  commentField.addEventListener("input", () => actions.draft({ comment: commentField.value }));
  const marks = h("span", { class: "dim tabular", "data-testid": "marks" });
  const undo = h("button", { "data-testid": "undo", title: "Undo the last decision, wherever you are (u)", onclick: actions.undo }, keyCap("u"), "undo");
  const skip = h("button", { "data-testid": "skip", title: "Skip for now (s)", onclick: actions.skip }, keyCap("s"), "skip");
  const element = h("section", { class: "decision" },
    h("div", { class: "grades" }, grades), groups.map((g) => g.element), commentField,
    h("div", { class: "line" }, undo, skip, h("span", { class: "spring" }), marks));
  return {
    element,
    commentField,
    showChord: (name) => groups.forEach((group) => group.showChord(group.name === name)),
    update({ draft, current, marking }) {
      grades.forEach((button) => {
        setPressed(button, current?.decision === button.dataset.grade);
        button.disabled = !current;
      });
      groups.forEach((group) => group.update(draft));
      if (commentField.value !== draft.comment) commentField.value = draft.comment;
      setText(marks, marking ? `mark ${marking}: arrows move, Enter sets, Esc cancels` : marksText(draft.marks));
    },
  };
}

function marksText(marks) {
  if (!marks.length) return "marks: l lens · i image · o other";
  const counts = ["lens", "image", "other"].map((kind) => [kind, marks.filter((m) => m.kind === kind).length]);
  return `marks: ${counts.filter(([, n]) => n).map(([kind, n]) => `${n} ${kind}`).join(", ")} · ⌫ removes`;
}

function chips({ name, key, terms, actions, many }) {
  const buttons = terms.map((term) => h("button", {
    class: "chip", title: `${term.definition} (${key} then ${term.key.toLowerCase()})`, "data-testid": `${name}-${term.id}`,
    onclick: () => actions.choose(name, term.id),
  }, keyCap(term.key.toLowerCase()), term.label));
  const element = h("div", { class: "chips", role: "group", "aria-label": name }, h("span", { class: "dim" }, keyCap(key), name), buttons);
  return {
    name,
    element,
    showChord: (on) => element.classList.toggle("listening", on),
    update: (draft) => buttons.forEach((button, index) => {
      const { id } = terms[index];
      setPressed(button, many ? draft.tags.includes(id) : draft[name] === id);
    }),
  };
}

function catalogue() {
  const list = h("dl", { class: "columns tabular" });
  const element = h("section", { class: "catalogue" }, h("h2", {}, "Catalogue"), list);
  return {
    element,
    update({ details }) {
      const columns = Object.entries(details?.columns ?? {}).filter(([, value]) => value != null && value !== "");
      const key = JSON.stringify(columns);
      element.hidden = !columns.length;
      if (list.dataset.key === key) return;
      list.dataset.key = key;
      list.replaceChildren(...columns.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { title: String(value) }, written(value))]));
    },
  };
}

const written = (value) => (typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(6))) : String(value));

function history(campaign) {
  const own = h("ul", { class: "votes" });
  const others = h("ul", { class: "votes" });
  const othersPart = h("div", {}, h("h2", {}, "Other votes"), others);
  const element = h("section", { class: "history" }, h("h2", {}, "Your earlier votes"), own, othersPart);
  return {
    element,
    update({ details }) {
      const [mine, theirs] = [details?.my_votes ?? [], details?.other_votes ?? []];
      const key = JSON.stringify([mine, theirs]);
      element.hidden = !mine.length && !theirs.length;
      othersPart.hidden = !theirs.length;
      if (element.dataset.key === key) return;
      element.dataset.key = key;
      own.replaceChildren(...mine.map((vote) => voteLine(vote, campaign)));
      others.replaceChildren(...theirs.map((vote) => voteLine(vote, campaign, vote.inspector)));
    },
  };
}

function voteLine(vote, campaign, who = null) {
  const label = (terms, id) => terms.find((term) => term.id === id)?.label ?? id;
  const decision = vote.grade ?? (vote.supersedes ? "undone" : "skipped");
  const words = [
    who, `${new Date(vote.created_at).toISOString().slice(0, 16).replace("T", " ")} UTC`, vote.phase,
    vote.contaminant && label(campaign.contaminants, vote.contaminant),
    ...(vote.tags ?? []).map((id) => label(campaign.tags, id)), vote.flag && label(campaign.flags, vote.flag), vote.comment,
  ];
  return h("li", {}, h("b", { class: "letter", "data-grade": vote.grade ?? "" }, decision), ` ${words.filter(Boolean).join(" · ")}`);
}
