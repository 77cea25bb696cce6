import { get, keep } from "./api.js";
import { SEVERITIES, STATES, alarmBadge, h, pvLink, show, stateBadge } from "./dom.js";
import { counts, duration, plural, rate, time, whole } from "./format.js";
import { table } from "./table.js";

const SIZE = 100;
const LABELS = Object.fromEntries(Object.entries(STATES).map(([state, [, , label]]) => [state, label]));

const COLUMNS = [
  { label: "PV", sort: "name", kind: "name", cell: pvLink },
  { label: "Via", sort: "protocol", cell: (pv) => pv.protocol.toUpperCase() },
  { label: "State", sort: "state", cell: (pv) => stateBadge(pv.state) },
  { label: "Value", sort: "value", kind: "number short", cell: value },
  { label: "Units", sort: "units", cell: (pv) => pv.units ?? "" },
  { label: "Time of value", sort: "time", kind: "time", cell: (pv) => time(pv.time) },
  { label: "Alarm", sort: "alarm", cell: (pv) => pv.state === "connected" && pv.alarm && alarmBadge(pv.alarm) },
  { label: "Updates/s", sort: "rate", kind: "number", cell: (pv) => (pv.state === "connected" ? rate(pv.rate) : "") },
  { label: "Dropped", sort: "dropped", kind: "number", cell: dropped },
  { label: "Lost", sort: "lost_at", kind: "time", cell: (pv) => at(pv.lost_at, pv.disconnects) },
  { label: "Last error", sort: "error", kind: "short", cell: (pv) => pv.error && h("span", { title: pv.error.text }, pv.error.text) },
  { label: "Silent", sort: "silent", kind: "number", minor: true, title: "Since when no update came", cell: (pv) => (pv.silent_s > 10 ? duration(pv.silent_s) : "") },
  { label: "Received", sort: "received", kind: "number", minor: true, cell: (pv) => whole(pv.received) },
  { label: "Connected", sort: "connected_at", kind: "time", minor: true, cell: (pv) => at(pv.connected_at, pv.connects) },
];

function value(pv) {
  if (!pv.value) return "";
  const stale = pv.state !== "connected";
  return { children: h("span", { title: stale ? `${pv.value.text}, before it was lost` : pv.value.text }, shorter(pv.value)), kind: stale ? "stale" : "" };
}

function dropped(pv) {
  if (!pv.dropped) return "";
  return { children: [whole(pv.dropped), h("span", { class: "reason" }, Object.keys(pv.dropped_by_reason).join(", "))], kind: "lost", title: counts(pv.dropped_by_reason) };
}

// In the table nine digits do; the whole number is under the pointer, and on the PV's page.
const shorter = ({ text, number }) => (/^-?\d+\.\d{6,}$/.test(text) && number !== null ? String(Number(number.toPrecision(9))) : text);

const at = (iso, times) => (iso ? [time(iso), times > 1 ? h("span", { class: "dim", title: `${times} times` }, ` ×${whole(times)}`) : ""] : "");

export const FALLING = ["rate", "received", "silent", "dropped", "error", "lost_at", "connected_at", "time", "alarm", "connects", "disconnects"];

// The table with its pages. `asked` is what the address says; `go` changes the address.
export function pvTable(asked, go, empty) {
  const order = (key) => (asked.sort === key ? (asked.order === "desc" ? "asc" : "desc") : FALLING.includes(key) ? "desc" : "asc");
  const lines = table(COLUMNS, { sorted: [asked.sort ?? "name", asked.order ?? "asc"], onsort: (key) => go({ sort: key, order: order(key), offset: "" }), empty });
  const offset = () => Number(asked.offset) || 0;
  const back = h("button", { type: "button", id: "previous", onclick: () => go({ offset: Math.max(0, offset() - SIZE) || "" }) }, "‹ Previous");
  const on = h("button", { type: "button", id: "next", onclick: () => go({ offset: offset() + SIZE }) }, "Next ›");
  const count = h("span", { class: "count", id: "count", role: "status" });
  const root = h("div", {}, lines.root, h("div", { class: "pager" }, back, on, count));
  return {
    root,
    async refresh(parameters) {
      const first = offset();
      const answer = await get("pvs", { ...parameters, offset: first || "", limit: SIZE });
      lines.set(answer.rows);
      back.disabled = first === 0;
      on.disabled = first + answer.rows.length >= answer.matched;
      const part = answer.rows.length ? `${whole(first + 1)} to ${whole(first + answer.rows.length)} of ` : "";
      const of = answer.matched === answer.total ? plural(answer.total, "PV") : `${plural(answer.matched, "PV")} that match, ${whole(answer.total)} in all`;
      if (count.textContent !== part + of) count.textContent = part + of;
    },
  };
}

export function mount(root, asked, go) {
  const options = (names, labels = {}) => [h("option", { value: "" }, "any"), ...names.map((name) => h("option", { value: name }, labels[name] ?? name))];
  const select = (name, label, names, labels) => {
    const field = h("select", { name, onchange: () => go({ [name]: field.value, offset: "" }) }, options(names, labels));
    if (asked[name] && !names.includes(asked[name])) field.append(h("option", { value: asked[name] }, asked[name]));
    field.value = asked[name] ?? "";
    return h("label", {}, label, field);
  };
  let typed = null;
  const search = h("input", {
    type: "search", id: "search", value: asked.search ?? "", maxlength: 200, placeholder: "part of a name, or a pattern: IN:*:TEMP?", autocomplete: "off", spellcheck: "false",
    oninput: () => {
      clearTimeout(typed);
      typed = setTimeout(() => go({ search: search.value, offset: "" }, { keep: true }), 250);
    },
  });
  const topics = select("topic", "Topic", []);
  const schemas = ["f142", "f144", "se00", "senv", "tdct", "ad00", "text_f142", "nttable_se00", "nttable_senv", "no_op"];
  const lines = pvTable(asked, go, "No PV matches.");
  const more = { dropped: "with losses", refused: "with a refused stream", error: "with an error", silent: "silent" };
  const chips = Object.entries(more).filter(([name]) => asked[name]).map(([name, label]) => h("button", { type: "button", title: "Remove this filter", onclick: () => go({ [name]: "", offset: "" }) }, `only ${label}${name === "silent" ? ` for ${duration(Number(asked[name]))}` : asked[name] === "any" || asked[name] === "yes" ? "" : `: ${asked[name]}`} ✕`));
  root.append(
    h("form", { class: "filters", role: "search", onsubmit: (event) => { event.preventDefault(); go({ search: search.value, offset: "" }, { keep: true }); } },
      h("label", { class: "wide" }, "Search PVs ( / )", search),
      select("state", "State", Object.keys(STATES), LABELS),
      select("alarm", "Alarm", Object.keys(SEVERITIES), { NO_ALARM: "no alarm" }),
      select("protocol", "Protocol", ["ca", "pva", "fake"], { ca: "Channel Access", pva: "pvAccess", fake: "simulated" }),
      topics,
      select("schema", "Schema", schemas),
      chips,
      h("button", { type: "button", onclick: () => go(Object.fromEntries(Object.keys(asked).map((name) => [name, ""]))) }, "Clear")),
    lines.root,
  );
  get("topics").then(({ topics: all }) => {
    const field = topics.querySelector("select");
    const names = [...new Set([...all.map((each) => each.topic), asked.topic].filter(Boolean))].sort();
    show(field, options(names));
    field.value = asked.topic ?? "";
  }).catch(() => {});
  const polling = keep(() => lines.refresh(asked), 2000);
  return {
    end: () => { clearTimeout(typed); polling.end(); },
    // A search that is typed on changes the lines and leaves the field alone.
    change(fresh) {
      for (const name of Object.keys(asked)) delete asked[name];
      Object.assign(asked, fresh);
      polling.now();
    },
  };
}
