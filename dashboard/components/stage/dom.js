// Building and updating the page. Text goes in as text, never as markup: ids and comments may hold anything.

/** An element: `h("button", {class: "key", onclick}, "label", child)`. Null children are left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

/** Replace what an element shows, but only if it differs: nothing flickers, no focus is lost. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setPressed(button, pressed) {
  button.setAttribute("aria-pressed", String(Boolean(pressed)));
}

/** A label for a key, as it is printed on the keyboard. */
export const keyCap = (key) => h("kbd", {}, key);

/** A labelled slider: {element, set(value)}; `onInput(value)` is called while it moves. */
export function slider({ label, title, min, max, step, value, onInput }) {
  const input = h("input", { type: "range", min, max, step, value, title, "aria-label": label });
  input.addEventListener("input", () => onInput(Number(input.value)));
  return { element: h("label", { class: "slider", title }, h("span", {}, label), input), set: (v) => { input.value = v; } };
}

/** A drop-down: {element, set(value)}. Options are [value, text]. */
export function choice({ label, title, options, value, onChange, testId }) {
  const select = h("select", { title, "aria-label": label, "data-testid": testId });
  const fill = (entries) => select.replaceChildren(...entries.map(([v, text]) => h("option", { value: v }, text)));
  fill(options);
  select.value = value;
  // With the keyboard Enter makes the choice: each arrow or letter would otherwise be a choice of its own.
  let byKey = false;
  const choose = () => {
    byKey = false;
    onChange(select.value);
  };
  select.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && byKey) choose();
    if (event.key === "Enter") select.blur();
    else byKey = true;
  });
  select.addEventListener("pointerdown", () => { byKey = false; });
  select.addEventListener("change", () => {
    if (byKey) return;
    choose();
    select.blur();
  });
  select.addEventListener("blur", () => { if (byKey) choose(); });
  return { element: select, fill, set: (v) => { select.value = v; } };
}

/** A small square picture: the middle of a larger one, without distortion. */
export function drawThumbnail(canvas, { bitmap }) {
  const context = canvas.getContext("2d");
  const side = Math.min(bitmap.width, bitmap.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(
    bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height,
  );
}
