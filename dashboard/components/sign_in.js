// The page to sign in, and the one behind an invitation, where a password is chosen.

const API = "/api/v1";
const part = (id) => document.getElementById(id);
const token = /^\/join\/([^/]+)$/.exec(window.location.pathname)?.[1];

async function asked(path, content) {
  const options = content && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) };
  const response = await fetch(`${API}/${path}`, { cache: "no-store", ...options });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.detail ?? `the server answered ${response.status}`);
  return body;
}

/** Where to go afterwards: only to a page of this server. */
function next() {
  const wanted = new URLSearchParams(window.location.search).get("next") ?? "/";
  const address = new URL(wanted, window.location.origin);
  return address.origin === window.location.origin ? address.pathname + address.search : "/";
}

function showDark() {
  try {
    if (JSON.parse(localStorage.getItem("lensvet:settings"))?.dark === false) document.documentElement.dataset.theme = "light";
  } catch { /* nothing was chosen yet */ }
}

/** Accounts elsewhere that open this door, beside a password. */
async function showServices() {
  const { campaign, services } = await asked("sign-in");
  const query = new URLSearchParams(token ? { invitation: token } : { next: next() });
  for (const { name, title } of services) {
    const link = document.createElement("a");
    link.href = `/sign-in/with/${encodeURIComponent(name)}?${query}`;
    link.textContent = `with ${title}`;
    link.dataset.testid = `with-${name}`;
    part("services").append(link);
  }
  return campaign;
}

async function prepare() {
  showDark();
  const problem = new URLSearchParams(window.location.search).get("problem");
  if (problem) tell({ message: problem });
  const title = await showServices();
  if (!token) {
    part("said").textContent = title;
    part("hint").textContent = "Forgot the password, or no account? Ask an admin of this campaign for an invitation.";
    part("name").focus();
    return;
  }
  const { name, role, campaign } = await asked(`join/${token}`);
  part("title").textContent = `Welcome, ${name}`;
  part("said").textContent = `${campaign} · you are ${role}. Choose a password: at least 12 characters, several words are easy to keep in mind.`;
  part("name").value = name;
  part("name").readOnly = true;
  part("password").autocomplete = "new-password";
  part("again-label").hidden = false;
  part("again").required = true;
  part("go").textContent = "choose password";
  part("password").focus();
}

async function send() {
  const password = part("password").value;
  if (token && password !== part("again").value) throw new Error("the two passwords differ");
  if (token) await asked(`join/${token}`, { password });
  else await asked("sign-in", { name: part("name").value, password });
  window.location.replace(token ? "/" : next());
}

const tell = (error) => { part("problem").textContent = error.message; };

part("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  part("go").disabled = true;
  tell({ message: "" });
  await send().catch(tell);
  part("go").disabled = false;
});

prepare().catch(tell);
