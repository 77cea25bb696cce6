import { get, keep } from "./api.js";
import { chart } from "./charts.js";
import { alarmBadge, h, show, stateBadge } from "./dom.js";
import { ago, duration, LATE_S, milliseconds, plural, rate, time, whole, zoneName } from "./format.js";
import { table } from "./table.js";

const KEPT = 1800;

export function mount(root, asked) {
  const head = h("div", { class: "head" });
  const now = h("div", { class: "card now-card" });
  const why = h("div", { class: "card problem", hidden: true, id: "why" });
  const over = chart({ title: `Values since this page is open, by the PV's own time (${zoneName()})`, names: ["value"], values: short, tall: true, steps: true });
  const across = chart({ title: "Elements of the newest value, by index", names: ["element"], values: short, tall: true, overTime: false });
  over.root.hidden = across.root.hidden = true;
  const facts = h("dl");
  const connection = h("dl");
  const streams = table([
    { label: "Topic", kind: "name", cell: (stream) => h("a", { href: `pvs?${new URLSearchParams({ topic: stream.topic })}` }, stream.topic) },
    { label: "Cluster", cell: (stream) => stream.cluster },
    { label: "Schema", cell: (stream) => stream.schema },
    { label: "Repeated", cell: (stream) => (stream.periodic ? "yes" : "no") },
    { label: "Not sent", kind: "wrap", cell: notSent },
  ], { empty: "It goes nowhere." });
  const events = table([
    { label: "Time", kind: "time name", cell: (event) => [time(event.time, { digits: true }), " ", h("span", { class: "dim" }, ago(event.time))] },
    { label: "Became", cell: (event) => stateBadge(event.state) },
    { label: "Server", cell: (event) => event.server ?? "" },
    { label: "Why", kind: "wrap", cell: (event) => event.reason ?? "" },
  ], { empty: "Nothing has happened yet: it is being searched." });
  const points = [[], []];
  root.append(
    head, why, now,
    over.root, across.root,
    h("div", { class: "cards two" }, h("section", { class: "card" }, h("h2", {}, "Data"), facts), h("section", { class: "card" }, h("h2", {}, "Connection"), connection)),
    h("section", {}, h("h2", {}, "Goes to"), streams.root),
    h("section", {}, h("h2", {}, "The last changes of its connection"), events.root),
  );

  function draw(pv) {
    show(head, h("h1", { class: "mono" }, pv.name), stateBadge(pv.state), h("span", { class: "badge" }, pv.protocol.toUpperCase()), pv.state === "connected" && pv.alarm && alarmBadge(pv.alarm));
    const reasons = explained(pv);
    why.hidden = !reasons.length;
    show(why, reasons);
    show(now, newest(pv));
    plot(pv);
    show(facts, pairs({
      "alarm text": pv.alarm && pv.alarm.severity !== "NO_ALARM" ? pv.alarm.message ?? pv.alarm.status : null,
      units: pv.units === null ? "not known" : pv.units || "none",
      type: pv.type,
      choices: pv.choices.length ? pv.choices.map((choice, at) => `${at} = ${choice}`).join(", ") : null,
      updates: `${whole(pv.received)} received, ${pv.rate === null ? "rate not known yet" : `${rate(pv.rate)} a second`}`,
      silent: pv.silent_s > 10 ? `no update for about ${duration(pv.silent_s)}` : null,
      "not sent": pv.dropped ? h("ul", { class: "plain" }, Object.entries(pv.dropped_by_reason).map(([name, count]) => h("li", {}, `${whole(count)}: ${name}`))) : pv.streams.some((stream) => stream.dropped_unread) ? "not known" : "nothing",
      "last error": pv.error ? [pv.error.text, " ", pv.error.time ? h("span", { class: "dim" }, time(pv.error.time)) : ""] : "none",
    }));
    show(connection, pairs({
      server: pv.server ?? "none so far",
      connected: pv.connected_at ? [time(pv.connected_at), ` (${whole(pv.connects)} in all)`] : "never",
      lost: pv.lost_at ? [time(pv.lost_at), ` (${whole(pv.disconnects)} in all)`] : "never",
      moved: pv.moves ? `${whole(pv.moves)} times to another server` : null,
      "type changed": pv.type_changes ? `${whole(pv.type_changes)} times` : null,
      "searched at": pv.searched_at.length ? h("ul", { class: "plain mono" }, pv.searched_at.map((address) => h("li", {}, address))) : "nowhere: no address is set",
    }));
    streams.set(pv.streams);
    events.set(pv.events);
  }

  function plot(pv) {
    const number = pv.value?.number ?? null;
    if (number !== null && pv.time && pv.state === "connected") {
      const seconds = milliseconds(pv.time) / 1000;
      if (!points[0].length || seconds > points[0].at(-1)) {
        points[0].push(seconds);
        points[1].push(number);
        if (points[0].length > KEPT) points.forEach((each) => each.shift());
      }
    }
    const elements = pv.value?.elements;
    const numeric = Boolean(elements?.length) && elements.every((each) => each === null || typeof each === "number");
    over.root.hidden = !points[0].length;
    across.root.hidden = !numeric;
    if (points[0].length) over.set(points);
    if (numeric) across.set([elements.map((_, at) => at), elements]);
  }

  const polling = keep(async () => {
    try {
      draw(await get("pv", { protocol: asked.protocol ?? "ca", name: asked.name ?? "" }));
    } catch (error) {
      if (!String(error.message).startsWith("no PV")) throw error;
      show(head, h("h1", { class: "mono" }, asked.name));
      why.hidden = false;
      show(why, "It is not forwarded: no command has asked for it over this protocol, or one has removed it. ", h("a", { href: "commands" }, "The last commands"));
    }
  }, 1000);
  return { end: () => [polling, over, across].forEach((each) => each.end()) };
}

const short = (number) => (Math.abs(number) >= 1e6 || (number && Math.abs(number) < 1e-3) ? number.toExponential(1) : String(Number(number.toPrecision(6))));

const pairs = (facts) => Object.entries(facts).filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);

function newest(pv) {
  if (!pv.value) return h("span", { class: "dim" }, pv.time ? ["The newest value is not known any more; it was of ", time(pv.time, { digits: true })] : "No value has come yet.");
  const { value } = pv;
  const index = pv.choices.length && value.number !== null ? ` (${value.number})` : "";
  const size = value.length === null ? "" : ` ${whole(value.length)} elements`;
  const isLong = value.text.length > 40 || value.length !== null;
  return [
    h("div", { class: "now" },
      h("span", { class: isLong ? "elements" : "big", id: "value" }, value.text + index, pv.units ? ` ${pv.units}` : ""),
      h("span", { class: "dim" }, size, size ? ", " : "", pv.state === "connected" ? "" : "before it was lost, ", time(pv.time, { digits: true }), " ", ago(pv.time))),
    value.cut ? h("div", { class: "dim" }, "It is cut: all of it goes to Kafka, and not to this page.") : null,
  ];
}

// The first thing a scientist asks, in words: why the PV has no values, then why they are not in Kafka.
function explained(pv) {
  return [ofThePv(pv), ...ofKafka(pv)].filter(Boolean).map((reason) => h("div", {}, reason));
}

function ofThePv(pv) {
  const lost = pv.events.find((event) => event.state === "disconnected");
  if (pv.state === "disconnected") return [h("b", {}, "No values come: "), `the connection was lost ${ago(pv.lost_at)}`, lost?.reason ? `, ${lost.reason}` : "", ". It is searched until it is back. Ask whoever runs the IOC", pv.server ? ` at ${pv.server}` : "", "."];
  if (pv.state === "never_connected") return [h("b", {}, "No values come: "), "no IOC has ever offered this PV at the addresses that are searched. Is the name right? Is the IOC up, and its address in the list below?"];
  return null;
}

function ofKafka(pv) {
  const reasons = [];
  for (const stream of pv.streams) {
    if (stream.refused) reasons.push([h("b", {}, `Values do not go to ${stream.topic}: `), stream.refused]);
    else if (stream.problem) reasons.push([h("b", {}, `Values do not arrive in ${stream.topic} now: `), stream.problem, waits(stream)]);
    else if (stream.oldest_s > LATE_S) reasons.push([h("b", {}, `Values are late in ${stream.topic}: `), `the oldest of what waits came ${duration(stream.oldest_s)} ago`, waits(stream)]);
  }
  const unread = pv.streams.find((stream) => stream.dropped_unread);
  if (pv.dropped) reasons.push([h("b", {}, `${whole(pv.dropped)} did not go out: `), Object.entries(pv.dropped_by_reason).map(([name, count]) => `${name} (${whole(count)})`).join(", "), "."]);
  else if (unread) reasons.push([h("b", {}, "Perhaps some values are missing: "), `${whole(unread.dropped_unread)} messages for ${unread.topic} were dropped on disk, and whose they were is not known.`]);
  return reasons;
}

const waits = (stream) => (stream.waiting ? `. ${plural(stream.waiting, "message")} of all PVs in this topic wait, to be sent in order.` : ".");

function notSent(stream) {
  const parts = [];
  if (stream.refused) parts.push(stream.refused);
  if (stream.problem) parts.push(stream.problem);
  if (stream.refused_updates) parts.push(`${whole(stream.refused_updates)} updates had no place in the schema`);
  if (stream.dropped_unread) parts.push(`${whole(stream.dropped_unread)} messages of the whole topic were dropped on disk; whose they were is not known`);
  return parts.join("; ");
}
