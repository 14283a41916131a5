// The states of a job: their order, and an icon for each, so that colour is never the only sign.

import { h } from "./render.js";

export const STATES = ["waiting", "active", "delayed", "held", "completed", "failed", "cancelled", "expired"];
export const OPEN = ["waiting", "active", "delayed", "held"];
/** Those that have not begun. */
export const YET = ["waiting", "delayed", "held"];
export const UNDONE = ["failed", "cancelled", "expired"];
export const ENDED = ["completed", ...UNDONE];
/** Of a new job; the first leaves it to its task. */
export const PRIORITIES = ["", "critical", "high", "normal", "low"];

const MARKS = {
  waiting: "M4 5h8M4 8h8M4 11h5",
  active: "M6 4.5v7l5.5-3.5z",
  delayed: "M8 4v4l2.6 1.8",
  held: "M6 5v6M10 5v6",
  completed: "M4.5 8.3l2.4 2.4 4.6-5",
  failed: "M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6",
  cancelled: "M4.5 8h7",
  expired: "M8 4v4.5M8 11.3v.4",
};

const SIGNS = {
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.4 10.4L14 14",
  freeze: "M6 3.5v9M10 3.5v9",
  on: "M5.5 3.5v9l7-4.5z",
  auto: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  dark: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
};

const drawn = (d, ...more) => h("svg.icon", { viewBox: "0 0 16 16", "aria-hidden": "true" }, more, h("path", { d }));

/** The icon of a state, and of what a button does. */
export const icon = (state) => drawn(Object.hasOwn(MARKS, state) ? MARKS[state] : MARKS.waiting, h("circle", { cx: 8, cy: 8, r: 7.2 }));
export const sign = (name) => drawn(SIGNS[name]);

/** A state as an icon and a word. */
export const badge = (state) => h("span.badge", { "data-state": state ?? "" }, icon(state), state ?? "unknown");
