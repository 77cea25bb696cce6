// Which page is shown, by its address; and the keys.
import { h } from "./dom.js";
import * as commands from "./page-commands.js";
import * as overview from "./page-overview.js";
import * as pv from "./page-pv.js";
import * as pvs from "./page-pvs.js";
import * as reports from "./page-reports.js";
import * as topics from "./page-topics.js";
import { get } from "./api.js";
import { step } from "./table.js";

const PAGES = { "": ["Overview", overview], pvs: ["PVs", pvs], reports: ["Reports", reports], topics: ["Topics", topics], commands: ["Commands", commands] };
const main = document.getElementById("main");
const nav = document.getElementById("nav");
const help = document.getElementById("help");
let shown = null;

const name = () => location.pathname.slice(location.pathname.lastIndexOf("/") + 1);

function draw() {
  shown?.end();
  const here = name();
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  const [title, page] = here === "pv" ? [asked.name ?? "PV", pv] : PAGES[here] ?? PAGES[""];
  document.title = `${title} – Forwarder`;
  nav.replaceChildren(...Object.entries(PAGES).map(([path, [label]]) => h("a", { href: path || ".", "aria-current": path === here ? "page" : null }, label)));
  main.replaceChildren(page === pv ? "" : h("h1", { class: "unseen" }, title));
  shown = page.mount(main, asked, change);
}

// Changes some parameters of the address. `keep`: what is on the page stays, only its lines are asked for anew.
function change(parameters, { keep = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(parameters)) {
    if (value === "") query.delete(key);
    else query.set(key, value);
  }
  const address = (name() || ".") + (query.size ? `?${query}` : "");
  if (keep && shown.change) {
    history.replaceState(null, "", address);
    shown.change(Object.fromEntries(query));
  } else {
    const focused = document.activeElement?.closest("th, .pager button, select");
    const back = focused && (focused.name ? `select[name="${focused.name}"]` : focused.id ? `#${focused.id}` : `th:nth-child(${focused.cellIndex + 1}) button`);
    history.pushState(null, "", address);
    draw();
    if (back) document.querySelector(back)?.focus();
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || link.hash || link.origin !== location.origin) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  draw();
  main.focus();
  scrollTo(0, 0);
});
addEventListener("popstate", draw);

const KEYS = {
  "/": () => {
    if (!document.getElementById("search")) {
      history.pushState(null, "", "pvs");
      draw();
    }
    document.getElementById("search").select();
  },
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  n: () => document.getElementById("next")?.click(), p: () => document.getElementById("previous")?.click(),
  "?": () => help.showModal(),
};
Object.keys(PAGES).forEach((path, at) => {
  KEYS[at + 1] = () => {
    history.pushState(null, "", path || ".");
    draw();
  };
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape" && typing) event.target.blur();
  if (event.key === "ArrowDown" && event.target.id === "search") { event.preventDefault(); step(1); }
  if (typing || help.open || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.getElementById("help-button").addEventListener("click", () => help.showModal());

draw();
get("overview").then(({ service }) => { document.getElementById("service").textContent = service.service_id; }).catch(() => {});
