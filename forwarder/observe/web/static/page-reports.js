import { get, keep } from "./api.js";
import { h, show } from "./dom.js";
import { whole } from "./format.js";
import { pvTable } from "./page-pvs.js";

const REPORTS = {
  disconnected: ["Disconnected", { state: "disconnected" }, "lost_at", "desc",
    "Were connected, and are not now: the IOC or the network to it is away, or the record was removed. The newest loss comes first; the value is the last one before it.",
    (overview) => overview.pvs.disconnected],
  never: ["Never connected", { state: "never_connected" }, "name", "asc",
    "No IOC has ever offered these: is the name spelt right, is the IOC up, is its address among those that are searched (a PV's page lists them)?",
    (overview) => overview.pvs.never_connected],
  silent: ["Silent", { silent: "300" }, "silent", "desc",
    "Connected, without an update for five minutes or more. Normal for what does not change; otherwise look at the record's SCAN, MDEL and ADEL.",
    (overview) => overview.silent],
  dropped: ["Dropped", { dropped: "any" }, "dropped", "desc",
    "Updates or messages that did not go out, and why. Topics says of how many nobody knows whose they were.",
    (overview) => overview.with_losses],
  rates: ["Top rates", {}, "rate", "desc", "The PVs that update the most often.", () => null],
  storms: ["Connection losses", {}, "disconnects", "desc", "The PVs that were lost the most often.", () => null],
};

export function mount(root, asked, go) {
  const name = asked.report in REPORTS ? asked.report : "disconnected";
  const [, filter, sort, order, text] = REPORTS[name];
  const tabs = h("div", { class: "tabs", role: "navigation", "aria-label": "Reports" });
  const label = ([title, , , , , count], overview) => title + (overview && count(overview) !== null ? ` ${whole(count(overview))}` : "");
  const draw = (overview) => show(tabs, Object.entries(REPORTS).map(([key, report]) => h("a", { href: `reports?report=${key}`, "aria-current": key === name ? "page" : null }, label(report, overview))));
  draw(null);
  const shown = { sort, order, ...asked };
  const lines = pvTable(shown, go, "None: that is good news.");
  const reasons = h("div", { class: "tabs", role: "navigation", "aria-label": "Reasons", hidden: true });
  root.append(tabs, h("p", { class: "dim" }, text), reasons, lines.root);
  const { report, ...given } = shown;
  const polling = keep(async () => {
    const overview = await get("overview");
    draw(overview);
    reasons.hidden = name !== "dropped" || !Object.keys(overview.losses).length;
    show(reasons, [["", "all", overview.with_losses], ...Object.entries(overview.losses).map(([reason, count]) => [reason, reason, count])].map(([reason, label, count]) =>
      h("a", { href: `reports?${new URLSearchParams({ report: "dropped", ...(reason && { dropped: reason }) })}`, "aria-current": reason === (asked.dropped ?? "") ? "page" : null }, `${label} ${whole(count)}`)));
    await lines.refresh({ ...filter, ...given });
  }, 3000);
  return polling;
}
