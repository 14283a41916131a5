// The page that is shown: a view, what it asks the API for, and what a person chose on it. A view is an object:
//   title(page)   the title, which is the heading too; way(page) stands above it, head(page) beside it
//   asks(page)    what it needs: { jobs: { path, every, queue } }, seconds between two looks; with `queue` also when the
//                 counts of that queue change; `maybe` where there may be none, `isShown` where the view says why not,
//                 `isPage` where there is no page without it, `isPlace` if it is not found
//   body(page)    the tree of what is shown
// It is drawn again after every answer, every event and each second.

import * as api from "./api.js";
import { dict, list } from "./format.js";
import { live } from "./live.js";
import { head, waiting, wrong } from "./parts.js";
import { h, patch } from "./render.js";

const SOON = 1_000; // milliseconds after a change of counts until a look
const sources = new Map();
let view = null;
let drawing = false;

export const page = {
  live,
  /** What is asked for in the address, and what stands in the places of its path. */
  query: {},
  at: {},
  /** The latest answers by name, and why there is none. */
  data: {},
  failed: {},
  /** What a person chose here, which no address has. */
  local: {},
  /** Whether something that is asked for cannot be told. */
  get isFailing() { return Boolean(live.trouble) || Object.values(page.failed).some(Boolean); },
  me: { scope: "admin", actor: "", queues: [] },
  /** Whether the key of this tab is for some queues alone: it is told nothing of what is of no queue. */
  get isNarrow() { return list(page.me.queues).length > 0; },
  /** Those of the messaging service; none where the app sends no messages. */
  channels: [],
  set(changes) {
    Object.assign(page.local, changes);
    draw();
  },
  /** Whether the key of this tab allows it; the server decides. */
  may: (scope) => LEVELS.indexOf(page.me.scope) >= LEVELS.indexOf(scope),
  again,
};
const LEVELS = ["read", "write", "admin"];

/** Show a view, or the same one with other questions. */
export function turn(next, at, query) {
  const isSame = next === view && JSON.stringify(at) === JSON.stringify(page.at);
  view = next;
  Object.assign(page, { at, query });
  if (!isSame) {
    sources.forEach(forget);
    Object.assign(page, { data: {}, failed: {}, local: {} });
  }
  draw();
  return isSame;
}

/** Draw soon, once for all that changed until then. */
export function draw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    if (view) drawn();
  });
}

function drawn() {
  follow();
  const main = document.getElementById("main");
  const title = attempt(() => view.title(page), "streamq");
  document.title = title === "Overview" ? "streamq" : `${title.replaceAll(/[^\x20-\x7e\xa1-\uffff]|\p{Cf}/gu, "?")} – streamq`;
  main.setAttribute("aria-busy", String([...sources.values()].some((source) => source.path !== source.answered && !page.failed[source.name])));
  const unknown = [...sources.values()].filter(({ name, isPage, isPlace }) => (isPage || isPlace) && !page.data[name]);
  const missing = unknown.find(({ name }) => isMissing(page.failed[name]));
  if (missing) patch(main, head(title), complaint(page.failed[missing.name].message));
  else if (unknown.some(({ isPage }) => isPage)) patch(main, head(title), waiting(), complaints());
  else patch(main, attempt(() => [view.way?.(page), head(title, view.head?.(page)), complaints(), view.body(page)], null) ?? complaint("This page cannot be shown: what the server told is odd."));
}

const isMissing = (error) => error?.status === 404;
const complaint = (text) => h("p.error", { role: "alert", key: `complaint ${text}` }, text);

function attempt(act, otherwise) {
  try {
    return act();
  } catch (error) {
    console.warn(error);
    return otherwise;
  }
}

/** Why something that a page needs could not be asked for. */
function complaints() {
  const said = new Set(Object.values(page.failed).filter((error) => error && error.status !== 401 && !error.isSaid).map(wrong));
  return [...said].map(complaint);
}

function follow() {
  const wanted = attempt(() => view.asks?.(page), null) ?? {};
  for (const [name, source] of sources) if (!wanted[name]) forget(source);
  for (const [name, ask] of Object.entries(wanted)) {
    if (!ask) continue;
    const source = sources.get(name);
    if (source?.path === ask.path) Object.assign(source, ask);
    else begin(name, ask);
  }
}

function forget(source) {
  clearTimeout(source.timer);
  source.aborted.abort();
  sources.delete(source.name);
  delete page.data[source.name];
  delete page.failed[source.name];
}

/** What was told before is shown until the new answer is there. */
function begin(name, ask) {
  const before = sources.get(name);
  clearTimeout(before?.timer);
  before?.aborted.abort();
  const source = { ...ask, name, timer: 0, asking: false, aborted: new AbortController() };
  sources.set(name, source);
  look(source);
}

async function look(source) {
  clearTimeout(source.timer);
  if (source.asking) return;
  if (document.hidden || (live.frozen && source.answered)) return plan(source);
  source.asking = true;
  try {
    tell(source, await api.get(source.path, source.aborted.signal), null);
  } catch (error) {
    const isGone = (source.isPage || source.isPlace) && !source.isShown && isMissing(error);
    tell(source, source.answered && !isGone ? page.data[source.name] : undefined, error);
  }
}

function tell(source, data, error) {
  source.asking = false;
  if (sources.get(source.name) !== source) return;
  if (!error) source.answered = source.path;
  const isNothing = source.maybe && isMissing(error);
  page.data[source.name] = isNothing || data === undefined ? undefined : dict(data);
  if (error) error.isSaid = isNothing || (source.isShown && !(source.isPage && !page.data[source.name]));
  page.failed[source.name] = error;
  plan(source);
  draw();
}

function plan(source) {
  clearTimeout(source.timer);
  source.timer = setTimeout(() => look(source), (source.every ?? 10) * 1000);
}

/** Ask again now: everything, or what depends on these queues. */
export function again(queues = null) {
  for (const source of sources.values()) {
    if (queues === null) look(source);
    else if (queues.has(source.queue) && !source.asking) {
      clearTimeout(source.timer);
      source.timer = setTimeout(() => look(source), SOON);
    }
  }
}
