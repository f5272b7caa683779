// The frame of /why: style, light or dark as /vet has it, buttons that select bins, and saving of plots.

const SETTINGS = "lensvet:settings"; // of /vet

export async function render({ model, el }) {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL(`${model.assets}/why.css`, document.baseURI).href;
  document.head.append(style);
  el.style.display = "none";

  const onClick = (event) => {
    const button = event.composedPath().find((node) => node.dataset?.save || node.dataset?.select || node.dataset?.act);
    if (!button) return;
    const { save: format, plot, select, act } = button.dataset;
    if (format) save(plot, format);
    else if (select) toggleBin(model, select);
    else if (act === "clear") model.send_msg({});
    else if (act === "theme") toggleTheme();
  };
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    if (event.key === "y") toggleTheme();
    if (event.key === "Escape") model.send_msg({});
  };
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  model.on("selection", () => markSelected(JSON.parse(model.selection)));
  model.on("remove", () => {
    document.removeEventListener("click", onClick);
    document.removeEventListener("keydown", onKey);
    style.remove();
  });
  setTheme(settings().dark ?? true);
}

function isTyping(event) {
  const [target] = event.composedPath();
  return ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName);
}

// Light and dark

function settings() {
  try {
    return JSON.parse(localStorage.getItem(SETTINGS)) ?? {};
  } catch {
    return {};
  }
}

function toggleTheme() {
  const dark = document.documentElement.dataset.theme === "light";
  localStorage.setItem(SETTINGS, JSON.stringify({ ...settings(), dark }));
  setTheme(dark);
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const view of figures()) view.request_repaint?.();
}

// Plots take their colours from the style sheet when they are painted.

function* figures() {
  yield* window.Bokeh?.index?.query((view) => view.model.type === "Figure") ?? [];
}

function figure(name) {
  for (const view of figures()) if (view.model.name === name) return view;
  return null;
}

// Bins that are selected by buttons

function toggleBin(model, what) {
  const [name, index] = [what.slice(0, what.lastIndexOf(":")), Number(what.slice(what.lastIndexOf(":") + 1))];
  const selection = JSON.parse(model.selection);
  const chosen = new Set(selection[name] ?? []);
  chosen.has(index) ? chosen.delete(index) : chosen.add(index);
  model.send_msg({ ...selection, [name]: [...chosen] });
}

function markSelected(selection) {
  for (const button of everywhere(document, "[data-select]")) {
    const { select } = button.dataset;
    const at = select.lastIndexOf(":");
    const isChosen = (selection[select.slice(0, at)] ?? []).includes(Number(select.slice(at + 1)));
    button.setAttribute("aria-pressed", String(isChosen));
  }
}

/** Elements that match, in all shadow trees too. */
function* everywhere(root, selector) {
  yield* root.querySelectorAll(selector);
  for (const element of root.querySelectorAll("*")) if (element.shadowRoot) yield* everywhere(element.shadowRoot, selector);
}

// Saving

async function save(name, format) {
  const view = figure(name);
  if (!view) return;
  const blob = format === "csv" ? new Blob([csvOf(view.model)], { type: "text/csv;charset=utf-8" }) : await picture(view, format);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${document.title} ${name}`.replace(/[^\p{L}\p{N}]+/gu, "-").toLowerCase() + `.${format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** As on white paper, whatever the page looks like. */
async function picture(view, format) {
  const root = document.documentElement;
  const { theme } = root.dataset;
  root.dataset.theme = "print";
  try {
    return await view.export(format).to_blob();
  } finally {
    root.dataset.theme = theme;
    view.request_repaint?.();
  }
}

/** What the plot shows, as a table; comment lines say of what. */
function csvOf({ renderers, tags }) {
  const sources = renderers.map(({ data_source: source }) => source).filter(({ name }) => name?.startsWith("data-"));
  const tables = sources.map(({ data }) => ("image" in data ? pixelsOf(data) : columnsOf(data)));
  const names = Object.keys(tables[0] ?? {});
  const rows = tables.flatMap((table) => table[names[0]].map((_, row) => names.map((column) => cell(table[column][row]))));
  return [...tags.map((tag) => `# ${tag.replaceAll("\n", " ")}`), names.map(cell).join(","), ...rows.map((row) => row.join(","))].join("\r\n") + "\r\n";
}

function columnsOf(data) {
  return Object.fromEntries(Object.entries(data).filter(([name]) => name !== "told").map(([name, values]) => [name, Array.from(values)]));
}

function pixelsOf({ image: [image], x: [x], y: [y], dw: [dw], dh: [dh] }) {
  const [height, width] = image.shape;
  const cells = Array.from(image, (value, index) => [index % width, Math.floor(index / width), value]);
  return {
    x_theta_E: cells.map(([column]) => x + ((column + 0.5) * dw) / width),
    y_theta_E: cells.map(([, row]) => y + ((row + 0.5) * dh) / height),
    strength: cells.map(([, , value]) => value),
  };
}

function cell(value) {
  if (typeof value === "number") return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "";
  return `"${String(value).replaceAll('"', '""')}"`;
}
