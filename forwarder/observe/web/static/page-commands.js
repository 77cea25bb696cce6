import { get, keep } from "./api.js";
import { RESULTS, badge, h } from "./dom.js";
import { time, whole } from "./format.js";
import { table } from "./table.js";

export function mount(root) {
  const lines = table([
    { label: "Time", kind: "time name", cell: (command) => time(command.time) },
    { label: "Result", cell: (command) => badge(RESULTS[command.result]) },
    { label: "Command", cell: (command) => command.command ?? "–" },
    { label: "Dialect", cell: (command) => command.dialect ?? "" },
    { label: "Opened", kind: "number", cell: (command) => whole(command.opened) },
    { label: "Closed", kind: "number", cell: (command) => whole(command.closed) },
    { label: "Refused", kind: "number", cell: (command) => (command.refused_streams ? whole(command.refused_streams) : "") },
    { label: "Where it was", cell: (command) => h("span", { class: "mono" }, command.place) },
    { label: "Why it was refused", kind: "wrap", cell: (command) => command.reason ?? "" },
  ], { empty: "No command has come yet." });
  root.append(h("p", { class: "dim" }, "The last 50 commands, the newest first. The place is topic[partition]@offset: the offset that its sender was told when Kafka took it."), lines.root);
  return keep(async () => lines.set((await get("commands")).commands), 2000);
}
