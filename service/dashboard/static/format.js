// Numbers and times for people.

import { Exact } from "./exact.js";

const whole = new Intl.NumberFormat("en");
export const NONE = "–";

/** A number of JavaScript for any value; NaN for what is none. */
export const amount = (value) => (typeof value === "number" || value instanceof Exact ? Number(value) : NaN);

/** The same, 0 for what is none: for sums. */
export const count = (value) => amount(value) || 0;

export function number(value) {
  if (value instanceof Exact && /^-?\d+$/.test(value.text)) return whole.format(BigInt(value.text));
  const size = amount(value);
  return Number.isFinite(size) ? whole.format(size) : NONE;
}

/** A number that needs little room: 950, 1.2 k, 34 k, 5.6 M. */
export function short(value) {
  const size = Math.abs(amount(value));
  if (!Number.isFinite(size)) return NONE;
  if (size < 10 && size % 1) return size < 0.01 ? "under 0.01" : amount(value).toFixed(size < 1 ? 2 : 1);
  if (size < 10_000) return whole.format(Math.round(amount(value)));
  const [unit, by] = size < 1e6 ? ["k", 1e3] : size < 1e9 ? ["M", 1e6] : ["G", 1e9];
  return `${(amount(value) / by).toFixed(size / by < 100 ? 1 : 0)} ${unit}`;
}

export const bytes = (value) => (amount(value) ? `${short(value)}B`.replace(/(\d)B/, "$1 B") : NONE);

/** A span of seconds in its largest unit: 42 s, 7 min, 3 h, 12 d. */
export function span(seconds) {
  const size = Math.abs(amount(seconds));
  if (!Number.isFinite(size)) return NONE;
  if (size < 1) return "under 1 s";
  if (size < 90) return `${Math.round(size)} s`;
  if (size < 5400) return `${Math.round(size / 60)} min`;
  if (size < 129600) return `${Math.round(size / 3600)} h`;
  return `${Math.round(size / 86400)} d`;
}

/** How long something took: 0.4 ms, 87 ms, 1.3 s, then as a span. */
export function took(seconds) {
  const size = amount(seconds);
  if (!Number.isFinite(size)) return NONE;
  if (size < 0.01) return `${(size * 1000).toFixed(1)} ms`;
  if (size < 1) return `${Math.round(size * 1000)} ms`;
  return size < 60 ? `${size.toFixed(1)} s` : span(size);
}

/** Starts or ends in a second: 12 /s; or where that is little, in a minute or an hour. */
export function rate(perSecond) {
  const size = amount(perSecond);
  if (!Number.isFinite(size)) return NONE;
  if (size === 0) return "0 /s";
  if (size >= 1) return `${short(size)} /s`;
  return size * 60 >= 1 ? `${short(size * 60)} /min` : `${short(size * 3600)} /h`;
}

export const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %` : NONE);

/** Seconds from a time until now; negative for one to come; NaN for none. */
export const age = (time) => (typeof time === "string" ? (Date.now() - Date.parse(time)) / 1000 : NaN);

/** A time as seen from now: "12 s ago", "in 3 min". */
export function since(time) {
  const seconds = age(time);
  if (Number.isNaN(seconds)) return "";
  return seconds < 0 ? `in ${span(seconds)}` : seconds < 1 ? "just now" : `${span(seconds)} ago`;
}

/** The hour and the minute of a time, and its day where that is not today. */
export function clock(time, withSeconds = false) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return NONE;
  const day = at.toDateString() === new Date().toDateString() ? "" : `${at.getDate()} ${MONTHS[at.getMonth()]} `;
  const two = (value) => String(value).padStart(2, "0");
  return `${day}${two(at.getHours())}:${two(at.getMinutes())}${withSeconds ? `:${two(at.getSeconds())}` : ""}`;
}
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** What there is of some texts, as one. */
export const phrase = (texts, between = "; ") => texts.filter(Boolean).join(between);

export const plural = (size, one, more = `${one}s`) => `${number(size)} ${amount(size) === 1 ? one : more}`;

/** Any value as a list, or as an object: what is missing or odd is empty. */
export const list = (value) => (Array.isArray(value) ? value : []);
export const dict = (value) => (value && typeof value === "object" && !Array.isArray(value) && !(value instanceof Exact) ? value : {});
/** A list of objects, and that of an answer. */
export const dicts = (value) => list(value).map(dict);
export const items = (answer) => dicts(dict(answer).data);
