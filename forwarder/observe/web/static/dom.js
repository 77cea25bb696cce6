// Elements made from data. Texts only ever become text nodes, so that no name or value of a PV can be markup.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

// Replaces what an element holds only if it is not the same: focus, selection and the reader's eye stay where they are.
export function show(element, ...children) {
  const fresh = h(element.tagName, {}, ...children);
  const same = element.childNodes.length === fresh.childNodes.length && [...fresh.childNodes].every((node, at) => node.isEqualNode(element.childNodes[at]));
  if (!same) element.replaceChildren(...fresh.childNodes);
}

export const STATES = {
  connected: ["good", "●", "connected"],
  disconnected: ["bad", "✕", "disconnected"],
  never_connected: ["warn", "○", "never connected"],
  searching: ["", "…", "searching"],
};
export const SEVERITIES = {
  NO_ALARM: ["good", "✓"], MINOR: ["warn", "▲"], MAJOR: ["bad", "◆"], INVALID: ["bad", "?"],
};
export const LEVELS = { error: ["bad", "✕", "error"], warning: ["warn", "▲", "warning"], note: ["", "i", "note"] };
export const RESULTS = { obeyed: ["good", "✓", "obeyed"], partly: ["warn", "▲", "in part"], refused: ["bad", "✕", "refused"] };

export function badge([kind, sign, text], title = null) {
  return h("span", { class: `badge ${kind}`, title }, h("span", { "aria-hidden": "true" }, sign), text);
}

export function stateBadge(state) {
  return badge(STATES[state]);
}

export function alarmBadge(alarm) {
  if (alarm.severity === "NO_ALARM") return badge(["good", "✓", "no alarm"]);
  const [kind, sign] = SEVERITIES[alarm.severity];
  return badge([kind, sign, alarm.severity], alarm.message ?? alarm.status);
}

export function pvLink(pv) {
  return h("a", { href: pvAddress(pv), class: "mono" }, pv.name);
}

export function pvAddress(pv) {
  return `pv?${new URLSearchParams({ protocol: pv.protocol, name: pv.name })}`;
}
