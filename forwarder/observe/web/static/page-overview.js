import { get, keep } from "./api.js";
import { chart } from "./charts.js";
import { LEVELS, badge, h, show } from "./dom.js";
import { bytes, counts, duration, plural, rate, whole } from "./format.js";

export function mount(root) {
  const troubles = h("ul", { class: "troubles", id: "troubles" });
  const tiles = h("div", { class: "tiles" });
  const through = chart({ title: "Updates and messages a second", names: ["received", "acknowledged"], values: rate });
  const latency = chart({ title: "Latency, from receipt to acknowledgement", names: ["latency"], values: duration });
  const backlog = chart({ title: "Messages waiting for Kafka", names: ["waiting"], values: whole });
  const load = chart({ title: "Share of a core in use", names: ["busy"], values: (part) => `${Math.round(part * 100)} %` });
  const charts = [through, latency, backlog, load];
  const facts = h("dl");
  root.append(
    h("section", { class: "card" }, h("h2", {}, "What is wrong now"), troubles),
    tiles,
    h("div", { class: "cards two" }, charts.map((each) => each.root)),
    h("section", { class: "card" }, h("h2", {}, "This service"), facts),
  );

  const polling = keep(async () => {
    const overview = await get("overview");
    document.getElementById("service").textContent = overview.service.service_id;
    show(troubles, overview.troubles.length ? overview.troubles.map(line) : h("li", {}, badge(["good", "✓", "all is well"]), h("span", {}, "Nothing is wrong that the service knows of.")));
    show(tiles, tilesOf(overview));
    const { time, received, acknowledged, latency_s, waiting, busy } = overview.series;
    through.set([time, received, acknowledged]);
    latency.set([time, latency_s]);
    backlog.set([time, waiting]);
    load.set([time, busy]);
    show(facts, factsOf(overview.service));
  }, 2000);
  return { end: () => [polling, ...charts].forEach((each) => each.end()) };
}

function line(trouble) {
  const title = trouble.link ? h("a", { href: trouble.link }, trouble.title) : trouble.title;
  const since = trouble.lasts_s === null ? "" : `for ${duration(trouble.lasts_s)}`;
  return h("li", {}, h("span", {}, badge(LEVELS[trouble.level])), h("span", {}, h("span", { class: "title" }, title), " ", h("span", { class: "detail" }, trouble.detail)), h("span", { class: "since" }, since));
}

function tile(what, much, more, href = null, title = null) {
  return h(href ? "a" : "div", { class: "tile", href, title }, h("div", { class: "what" }, what), h("div", { class: "much" }, much), h("div", { class: "more" }, more || "\u00a0"));
}

function tilesOf({ pvs, alarms, rates, latency_s, totals, silent, with_losses }) {
  const dropped = Object.values(totals.dropped).reduce((sum, count) => sum + count, 0);
  const alarmed = alarms.MINOR + alarms.MAJOR + alarms.INVALID;
  return [
    tile("PVs connected", whole(pvs.connected), `of ${whole(pvs.total)}`, "pvs"),
    tile("not connected", whole(pvs.total - pvs.connected), `${whole(pvs.disconnected)} lost, ${whole(pvs.never_connected)} never there`, "reports?report=disconnected"),
    tile("PVs in alarm", whole(alarmed), `${whole(alarms.MAJOR)} major, ${whole(alarms.INVALID)} invalid`, "pvs?sort=alarm&order=desc"),
    tile("silent for 5 min", whole(silent), "connected, no update", "reports?report=silent"),
    tile("received / s", rate(rates.received) || "–", `${whole(totals.received)} since the start`, "reports?report=rates"),
    tile("latency", latency_s === null ? "–" : duration(latency_s), "until acknowledged"),
    tile("waiting", whole(totals.waiting), `oldest ${duration(totals.oldest_s)}, ${bytes(totals.waiting_bytes)}${totals.spooled_bytes ? `, disk ${bytes(totals.spooled_bytes)}` : ""}`, "topics"),
    tile("dropped", whole(dropped), plural(with_losses, "PV with losses", "PVs with losses"), "reports?report=dropped", counts(totals.dropped) || null),
  ];
}

function factsOf(service) {
  const lines = {
    "service id": service.service_id,
    version: service.version,
    profile: service.profile,
    "host, process": `${service.host}, ${service.pid}`,
    "up for": duration(service.uptime_s),
    "reads commands from": service.config_topics.join(", ") || "nowhere",
    "sends data to": service.output,
    "sends its status to": service.status_topic || "nowhere",
    "stores its streams in": service.storage_topic || "nowhere",
  };
  return Object.entries(lines).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}
