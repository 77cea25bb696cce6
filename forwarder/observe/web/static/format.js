// Numbers and times for people.
import { h } from "./dom.js";

// How long a message may wait until that is late: far longer than a beat, a request and a retry.
export const LATE_S = 5;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "2-digit", day: "2-digit" });
const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" });

export const zoneName = () => zone.formatToParts(new Date()).find((part) => part.type === "timeZoneName")?.value ?? "";

// A time of the API as milliseconds since 1970.
export const milliseconds = (iso) => Date.parse(iso.slice(0, 23) + "Z");

export function time(iso, { digits = false } = {}) {
  if (!iso) return null;
  const when = new Date(milliseconds(iso));
  const day = date.format(when);
  const text = clock.format(when) + (digits ? `.${iso.slice(20, 23)}` : "");
  const today = day === date.format(new Date());
  const utc = iso.replace("T", " ").replace("Z", " UTC");
  return h("time", { datetime: iso, title: utc }, today ? text : `${day} ${text}`);
}

export function duration(seconds) {
  if (seconds === null) return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 100) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} d`;
}

export const ago = (iso) => (iso ? `${duration(Math.max(0, (Date.now() - milliseconds(iso)) / 1000))} ago` : "");

export const whole = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");

export function rate(number) {
  if (number === null) return "";
  if (number === 0) return "0";
  return number >= 100 ? whole(Math.round(number)) : Number(number.toPrecision(3)).toString();
}

export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (number >= 1000 && at < units.length - 1) [number, at] = [number / 1000, at + 1];
  return `${at && number < 100 ? number.toFixed(1) : Math.round(number)} ${units[at]}`;
}

export const counts = (byName) => Object.entries(byName).map(([name, count]) => `${name}: ${whole(count)}`).join("\n");

export const plural = (count, one, many = one + "s") => `${whole(count)} ${count === 1 ? one : many}`;
