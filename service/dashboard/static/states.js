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

export const icon = (state) =>
  h("svg.icon", { viewBox: "0 0 16 16", "aria-hidden": "true" },
    h("circle", { cx: 8, cy: 8, r: 7.2 }),
    h("path", { d: Object.hasOwn(MARKS, state) ? MARKS[state] : MARKS.waiting }),
  );

/** A state as an icon and a word. */
export const badge = (state) => h("span.badge", { "data-state": state ?? "" }, icon(state), state ?? "unknown");
