// A page as a Panel component. Its modules are plain files that the server gives out, so that a browser keeps them
// and a developer finds them; this entry mounts them and takes them away again.

export async function render({ el, model }) {
  const address = (name) => new URL(`${model.assets}/${name}`, document.baseURI).href;
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = address(model.style);
  // In the page itself, not in the component's shadow: it fills the window, and focus, fonts and dialogs are its own.
  const root = document.createElement("div");
  const styled = new Promise((resolve) => { style.onload = style.onerror = resolve; });
  document.head.append(style);
  document.body.append(root);
  const [{ mount }] = await Promise.all([import(address(model.script)), styled]);
  const unmount = await mount(root);
  model.on("remove", () => {
    unmount();
    root.remove();
    style.remove();
  });
  el.style.display = "none";
}
