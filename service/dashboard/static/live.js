// The live counts: what the server last told, how old that is, and what changed of late.

import { dict, list } from "./format.js";
import { follow } from "./stream.js";

const STALE = 5_000;
const CHANGES = 200;

/** `queues` and `paused` by name: maps, as a queue may be called __proto__. */
let told = { queues: new Map(), paused: new Map(), overdue: new Map(), workers: [], heardAt: 0 };
let shown = told;
let trouble = "";
let changes = [];
let number = 0;

export const live = {
  frozen: false,
  get queues() { return shown.queues; },
  get paused() { return shown.paused; },
  /** How many delayed jobs of a queue should wait already. */
  get overdue() { return shown.overdue; },
  get workers() { return shown.workers; },
  get changes() { return changes; },
  /** Whether anything was heard yet. */
  get known() { return shown.heardAt > 0; },
  /** Seconds since the counts that are shown were told. */
  get age() { return (Date.now() - shown.heardAt) / 1000; },
  /** Why the counts do not move; empty when they do. */
  get trouble() { return trouble || (told.heardAt && Date.now() - told.heardAt > STALE ? "The live connection is silent." : ""); },
};

/** Let what is shown stand still, or move again. */
export function freeze(frozen) {
  live.frozen = frozen;
  if (!frozen) shown = told;
}

function hear(name, data) {
  if (name === "unavailable") return void (trouble = data.detail ?? "The queue server cannot be reached.");
  if (name !== "snapshot" && name !== "change") return;
  trouble = "";
  const queues = name === "snapshot" ? new Map() : new Map(told.queues);
  for (const [queue, counts] of Object.entries(dict(data.queues))) {
    if (name === "change") remember(queue, told.queues.get(queue), counts);
    if (counts === null) queues.delete(queue);
    else queues.set(queue, dict(counts));
  }
  const [paused, overdue] = ["paused", "overdue"].map((name) => (data[name] === undefined ? told[name] : new Map(Object.entries(dict(data[name])))));
  const workers = data.workers === undefined ? told.workers : list(data.workers).map(dict);
  told = { queues, paused, overdue, workers, heardAt: Date.now() };
  if (!live.frozen) shown = told;
}

/** One line for each count that is another now. */
function remember(queue, before, counts) {
  const after = dict(counts);
  const moved = Object.keys(after).filter((state) => after[state] !== dict(before)[state]);
  const by = moved.map((state) => [state, after[state] - (dict(before)[state] ?? 0)]);
  if (by.length && !live.frozen) changes = [{ number: ++number, at: Date.now(), queue, by }, ...changes].slice(0, CHANGES);
}

/** Begin; `changed(queues)` is called after each event, with the names of the queues whose counts changed. */
export function begin(changed) {
  follow(
    (name, data) => {
      hear(name, data);
      changed(new Set(Object.keys(dict(data.queues))));
    },
    (reason) => {
      trouble = `The live connection was lost: ${reason.replace(/\.$/, "")}.`;
      changed(new Set());
    },
  );
}
