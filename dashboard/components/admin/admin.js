// /admin: who may sign in and as what, and the log of who did what.

import { getJson, postJson } from "../stage/api.js";
import { h, setText } from "../stage/dom.js";
import { isTyping } from "../stage/keys.js";
import { bar, field, table, toggleTheme } from "../lists.js";

const ROLES = [["inspector", "inspector"], ["lead", "lead"], ["admin", "admin"], ["none", "nobody: shut the door"]];
const PAGE = 200;

/** Build the page in `root`. Returns what removes it. */
export async function mount(root) {
  const page = new AdminPage(root, await getJson("campaign"));
  await page.load();
  return () => page.destroy();
}

class AdminPage {
  constructor(root, campaign) {
    this.people = h("div", {});
    this.log = h("div", {});
    this.problem = h("p", { class: "problem", role: "alert", "data-testid": "problem" });
    this.invitation = h("p", { "data-testid": "invitation", role: "status" });
    this.hint = h("p", { class: "dim small" });
    this.root = h("div", { class: "page" }, bar(campaign, "/admin"), h("h2", {}, "People"), this.hint, this.people, this.adding(), this.invitation, this.problem, h("h2", {}, "Log"), this.log);
    root.replaceChildren(this.root);
    this.onKey = (event) => { if (event.key === "y" && !isTyping(event) && !event.ctrlKey && !event.metaKey) toggleTheme(); };
    document.addEventListener("keydown", this.onKey);
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    this.root.remove();
  }

  adding() {
    const name = h("input", { required: true, maxlength: 200, "data-testid": "new-name" });
    const role = h("select", { "data-testid": "new-role" }, ROLES.slice(0, 3).map(([value, words]) => h("option", { value }, words)));
    const form = h("form", {}, field("name", name), field("role", role), h("div", { class: "row" }, h("button", { class: "main", "data-testid": "add" }, "invite")));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const added = await this.post("people", { name: name.value, role: role.value });
      if (!added) return;
      form.reset();
      this.tellInvitation(added);
    });
    return form;
  }

  async load() {
    try {
      const [{ people, signs_in: signsIn }, { entries }] = await Promise.all([getJson("people"), getJson("audit", { limit: PAGE })]);
      setText(this.hint, signsIn ? "" : "On this machine nobody signs in: whoever opens the page is an admin. People are asked to sign in by lensvet serve CAMPAIGN --sign-in, and always at other addresses.");
      this.people.replaceChildren(people.length ? this.table(people) : h("p", { class: "dim" }, "Nobody yet."));
      this.log.replaceChildren(table([
        ["when (UTC)", ({ at }) => at.slice(0, 19).replace("T", " ")], ["who", ({ actor }) => actor], ["did", ({ action }) => action], ["about", ({ subject }) => subject],
        ["with", ({ details }) => Object.entries(details).map(([key, value]) => `${key} ${value}`).join(", ")],
      ], entries, { class: "small", "data-testid": "log" }));
    } catch (error) {
      setText(this.problem, error.message);
    }
  }

  table(people) {
    const role = ({ name, role: now }) => {
      const select = h("select", { "aria-label": `role of ${name}` }, ROLES.map(([value, words]) => h("option", { value }, words)));
      select.value = now;
      select.addEventListener("change", async () => {
        const meant = select.value !== "none" || window.confirm(`Shut the door for ${name}? Votes and name stay.`);
        if (!meant || !(await this.post("people/role", { name, role: select.value }))) select.value = now;
      });
      return select;
    };
    const actions = ({ name }) => h("span", { class: "row" },
      h("button", { onclick: async () => this.tellInvitation(await this.post("people/invitation", { name })) }, "new invitation"),
      h("button", { onclick: () => this.post("people/sign-out", { name }) }, "sign out everywhere"));
    return table([["name", ({ name }) => name], ["role", role], ["", actions]], people, { "data-testid": "people" });
  }

  tellInvitation(added) {
    if (!added) return;
    const link = new URL(added.join, window.location.origin).href;
    this.invitation.replaceChildren(`For ${added.name} alone, once, within seven days: `, h("code", { "data-testid": "link" }, link), " ", h("button", { onclick: () => navigator.clipboard?.writeText(link) }, "copy"));
  }

  async post(path, content) {
    const { status, body } = await postJson(path, content).catch(() => ({ status: 0 }));
    const isDone = status >= 200 && status < 300;
    setText(this.problem, isDone ? "" : body?.detail ?? "The server is away.");
    if (isDone) await this.load();
    return isDone ? body : null;
  }
}
