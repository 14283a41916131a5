// Numbers and times for people.

const whole = new Intl.NumberFormat();

export const number = (value) => (Number.isFinite(value) ? whole.format(value) : "–");

/** A span of seconds in its largest unit: 42 s, 7 min, 3 h, 12 d. */
export function span(seconds) {
  const size = Math.abs(seconds);
  if (size < 1) return "under 1 s";
  if (size < 90) return `${Math.round(size)} s`;
  if (size < 5400) return `${Math.round(size / 60)} min`;
  if (size < 129600) return `${Math.round(size / 3600)} h`;
  return `${Math.round(size / 86400)} d`;
}

/** A time as seen from now: "12 s ago", "in 3 min". */
export function since(time) {
  const at = Date.parse(time ?? "");
  if (Number.isNaN(at)) return "";
  const seconds = (Date.now() - at) / 1000;
  return seconds < 0 ? `in ${span(seconds)}` : seconds < 1 ? "just now" : `${span(seconds)} ago`;
}

export const json = (value) => JSON.stringify(value, null, 2);
