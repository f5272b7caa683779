// What the pages of lists share: the bar on top, tables, fields, light and dark.

import { h } from "./stage/dom.js";
import { loadSettings, saveSettings } from "./stage/settings.js";

/** The bar on top, with ways to the other pages that this role opens. */
export function bar(campaign, here) {
  const isLead = campaign.role !== "inspector";
  const pages = [["/vet", "vet", true], ["/mosaic", "mosaic", true], ["/group", "group", true], ["/why", "why", isLead], ["/admin", "people", campaign.role === "admin"]];
  const links = pages.filter(([path, , open]) => open && path !== here).map(([path, words]) => h("a", { href: path }, words));
  const person = h("button", { class: "plain", title: campaign.signs_in ? "Sign out" : "To change the name: on /vet", "data-testid": "person", onclick: () => campaign.signs_in && signOut(campaign) }, `${campaign.inspector} · ${campaign.role}`);
  const theme = h("button", { class: "plain", title: "Light or dark (y)", "aria-label": "Light or dark", onclick: toggleTheme }, "◐");
  applyTheme();
  return h("header", { class: "bar" }, h("strong", { class: "brand" }, "LensVet"), h("h1", {}, campaign.title), h("span", { class: "spring" }), ...links, person, theme);
}

async function signOut({ inspector }) {
  if (!window.confirm(`Sign out ${inspector}?`)) return;
  await fetch("/api/v1/sign-out", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
  window.location.assign("/sign-in");
}

export function applyTheme() {
  document.documentElement.dataset.theme = loadSettings().dark ? "dark" : "light";
}

export function toggleTheme() {
  const settings = loadSettings();
  saveSettings({ ...settings, dark: !settings.dark });
  applyTheme();
}

/** A table: columns are [title, value of a row, is it a number]. */
export function table(columns, rows, properties = {}) {
  const kind = (isNumber) => ({ class: isNumber ? "number" : null });
  return h("div", { class: "scroll" }, h("table", properties,
    h("thead", {}, h("tr", {}, columns.map(([title, , isNumber]) => h("th", kind(isNumber), title)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(([, value, isNumber]) => h("td", kind(isNumber), value(row) ?? "")))))));
}

/** A labelled field. */
export function field(label, input, properties = {}) {
  return h("label", properties, label, input);
}

/** A number as people write it: `digits` behind the point, nothing for none. */
export const written = (value, digits = 2) => (value == null || !Number.isFinite(value) ? "" : Number(value).toFixed(digits));

/** A share in per cent with its interval. */
export function percent(estimate) {
  if (estimate?.value == null) return "";
  const whole = (value) => Math.round(100 * value);
  const interval = estimate.low == null ? "" : ` (${whole(estimate.low)}–${whole(estimate.high)})`;
  return `${whole(estimate.value)} %${interval}`;
}
