// The page: which view an address means, and what stands around every view.

import * as api from "./api.js";
import { activity } from "./activity.js";
import { capacity } from "./capacity.js";
import { isExact } from "./exact.js";
import { failures } from "./failures.js";
import { group, groups } from "./groups.js";
import { job } from "./job.js";
import { jobs } from "./jobs.js";
import { listen } from "./keys.js";
import { askForKey } from "./key.js";
import { begin, freeze, live } from "./live.js";
import { messaging } from "./messaging.js";
import { newJob } from "./new.js";
import { overview } from "./overview.js";
import { again, draw, page, turn } from "./page.js";
import { openPalette } from "./palette.js";
import { at, dict, empty, h, items, list, matched, patch, phrase, plural, read, sign, span } from "./parts.js";
import { queue } from "./queue.js";
import { queues } from "./queues.js";
import { schedule, schedules } from "./schedules.js";
import { slow } from "./slow.js";
import { nextTheme, theme } from "./theme.js";
import { worker, workers } from "./workers.js";
import { workspaces } from "./workspaces.js";

const VIEWS = [
  ["", overview],
  ["queues", queues],
  ["queues/:queue", queue],
  ["queues/:queue/jobs", jobs],
  ["queues/:queue/jobs/:id", job],
  ["queues/:queue/groups", groups],
  ["queues/:queue/groups/:group", group],
  ["failures", failures],
  ["schedules", schedules],
  ["schedules/:name", schedule],
  ["slow", slow],
  ["workers", workers],
  ["workers/:name", worker],
  ["workspaces", workspaces],
  ["capacity", capacity],
  ["new", newJob],
  ["messaging", messaging],
  ["messaging/:part", messaging],
  ["activity", activity],
];
const nowhere = { title: () => "Nothing is here", body: () => empty("Choose a page above.") };

const PAGES = [
  ["", "Overview", "o"],
  ["queues", "Queues", "q"],
  ["failures", "Failures", "f"],
  ["slow", "Slow", "l"],
  ["schedules", "Schedules", "s"],
  ["workers", "Workers", "w"],
  ["messaging", "Messaging", "m"],
  ["workspaces", "Workspaces", "p"],
  ["capacity", "Capacity", "c"],
  ["activity", "Activity", "a"],
  ["new", "New job", "n"],
];
const MESSAGING = new Set(["messaging", "workspaces"]); // shown only where the app sends messages
const OF_ALL = new Set(["slow", "schedules", "capacity", ...MESSAGING]); // what a key for some queues may not see

const pages = () => PAGES.filter(([path]) => (path !== "new" || page.may("write")) && !(page.isNarrow && OF_ALL.has(path)) && (path === "capacity" ? list(page.me.offers).includes(path) : page.channels.length || !MESSAGING.has(path)));

function show() {
  unfold(false);
  const { parts, query } = read();
  const [view, found] = matched(VIEWS, parts);
  const isSame = turn(view ?? nowhere, found, query);
  around();
  if (isSame) return;
  scrollTo(0, 0);
  if (isBegun) setTimeout(() => document.querySelector("#main h1")?.focus({ preventScroll: true })); // once it is drawn
  isBegun = true;
}
let isBegun = false;

/** What stands around every view: where one may go, and how old the figures are. */
function around() {
  const [present = ""] = read().parts;
  patch(document.getElementById("pages"), pages().map(([path, text]) => h("a", { key: path, href: at(path), "aria-current": path === present ? "page" : null }, text)));
  patch(
    document.getElementById("tools"),
    tool("search", "Go to …", () => openPalette(pages()), { "aria-keyshortcuts": "Control+K", title: "Go anywhere (Ctrl K)" }, h("kbd.wide", {}, "Ctrl K")),
    tool(live.frozen ? "on" : "freeze", live.frozen ? "Go on" : "Freeze", toggle, { id: "freeze", "aria-pressed": String(live.frozen), title: "Let what is shown stand still (.)" }),
    tool(theme(), `Colours: ${theme()}`, () => (nextTheme(), around()), { title: "Light, dark, or as the system has it" }),
    allowed(),
    h("p", { id: "freshness", "data-tone": live.trouble ? "bad" : live.frozen ? "warn" : live.known ? "good" : "wait" }, fresh()),
  );
  document.getElementById("main").classList.toggle("stale", Boolean(live.trouble));
  const known = live.known ? `Showing what was known ${span(live.age)} ago.` : "Nothing is known yet.";
  const said = [live.trouble && `${live.trouble} ${known} Trying again.`, !isExact && "This browser is older than 2025 and rounds large numbers: change nothing with it."].filter(Boolean);
  patch(document.getElementById("banner"), said.map((text) => h("p", {}, text)));
}

/** What the key of this tab allows, where that is not everything. */
function allowed() {
  const { scope, queues } = page.me;
  const said = phrase([scope === "admin" ? "" : `${scope} only`, page.isNarrow ? plural(queues.length, "queue") : ""], ", ");
  return said ? h("span.tag", { title: `What the key of this tab allows: ${scope}${page.isNarrow ? `, in ${queues.join(", ")}` : ""}` }, said) : null;
}

/** A button of an icon, and of words where there is room. */
const tool = (name, text, onclick, props, ...more) => h("button", { "aria-label": text, onclick, ...props }, sign(name), h("span.wide", {}, text), more);

/** On a narrow screen the pages are behind a button, which has the focus again when Escape hides them. */
const menu = document.getElementById("menu");
const unfold = (isOpen) => menu.setAttribute("aria-expanded", String(isOpen));
menu.addEventListener("click", () => unfold(menu.ariaExpanded !== "true"));
document.addEventListener("click", ({ target }) => target.closest("#menu") || unfold(false));
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || menu.ariaExpanded !== "true") return;
  unfold(false);
  menu.focus();
});

function fresh() {
  if (!live.known) return "connecting";
  if (live.frozen) return `frozen, ${span(live.age)} old`;
  return live.trouble || live.age > 2.5 ? `${span(live.age)} old` : "live";
}

function toggle() {
  freeze(!live.frozen);
  if (!live.frozen) again();
  around();
  draw();
}

async function meet() {
  try {
    page.me = { ...page.me, ...dict(await api.get("me")) };
    page.channels = page.isNarrow ? [] : items(await api.get("channels")).filter(({ queues }) => list(queues).length);
  } catch {
    // The banner says that the server cannot be asked, and the dialog that a key is missing.
  }
  around();
  draw();
}

addEventListener("hashchange", show);
addEventListener("resize", draw);
addEventListener("key-needed", askForKey);
addEventListener("key-changed", () => void (meet(), again()));
document.addEventListener("visibilitychange", () => document.hidden || again());
listen({ toggle, pages });
begin((queues) => {
  again(queues);
  around();
  draw();
});
setInterval(() => (around(), draw()), 1000);
setInterval(meet, 60_000);
meet();
show();
