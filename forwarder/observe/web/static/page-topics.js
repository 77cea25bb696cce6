import { get, keep } from "./api.js";
import { badge, h } from "./dom.js";
import { bytes, counts, duration, LATE_S, whole } from "./format.js";
import { table } from "./table.js";

export function mount(root) {
  const lines = table([
    { label: "Topic", kind: "name", cell: (topic) => h("a", { href: `pvs?${new URLSearchParams({ topic: topic.topic })}`, class: "mono" }, topic.topic) },
    { label: "Cluster", cell: (topic) => topic.cluster },
    { label: "State", cell: (topic) => badge(topic.problem ? ["bad", "✕", "in trouble"] : topic.oldest_s > LATE_S ? ["warn", "▲", "behind"] : ["good", "●", "well"]) },
    { label: "Streams", kind: "number", cell: (topic) => whole(topic.streams) },
    { label: "Partitions", kind: "number", minor: true, cell: (topic) => topic.partitions || "" },
    { label: "Acknowledged", kind: "number", cell: (topic) => ({ children: whole(topic.acknowledged), title: counts(topic.acknowledged_by_schema) || null }) },
    { label: "Waiting", kind: "number", cell: (topic) => whole(topic.waiting) },
    { label: "Oldest", kind: "number", title: "Age of the oldest message that waits", cell: (topic) => (topic.waiting ? duration(topic.oldest_s) : "") },
    { label: "in memory", kind: "number", cell: (topic) => bytes(topic.waiting_bytes) },
    { label: "on disk", kind: "number", cell: (topic) => (topic.on_disk ? whole(topic.on_disk) : "") },
    { label: "Dropped", kind: "number", cell: (topic) => ({ children: topic.dropped ? whole(topic.dropped) : "", kind: topic.dropped ? "lost" : "", title: counts(topic.dropped_by_reason) || null }) },
    { label: "Problem, losses", kind: "wrap", cell: problem },
  ], { empty: "Nothing has been sent anywhere yet." });
  root.append(h("p", { class: "dim" }, "Where data goes: what Kafka has acknowledged, what waits for it, and what was given up."), lines.root);
  return keep(async () => {
    const { topics } = await get("topics");
    topics.sort((one, other) => Boolean(other.problem) - Boolean(one.problem) || (other.oldest_s > LATE_S) - (one.oldest_s > LATE_S) || other.dropped - one.dropped || one.topic.localeCompare(other.topic));
    lines.set(topics);
  }, 2000);
}

function problem(topic) {
  const parts = topic.problem ? [topic.problem] : [];
  for (const [reason, count] of Object.entries(topic.dropped_by_reason)) parts.push(`${whole(count)} dropped: ${reason}`);
  if (topic.dropped_unread) parts.push(`whose ${whole(topic.dropped_unread)} of them were is not known: what they were in was damaged, or too much was dropped to read it all`);
  if (topic.restamped) parts.push(`${whole(topic.restamped)} were told to Kafka with the time of now, because it did not accept theirs`);
  return parts.join("; ");
}
