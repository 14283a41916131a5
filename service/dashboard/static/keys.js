// Everything by the keyboard. Letters are heard only where nobody writes.

import { close, isOpen, present, titled } from "./dialog.js";
import { openPalette } from "./palette.js";
import { at, go, h } from "./parts.js";

const KEYS = [
  ["?", "this list"],
  ["/", "search on this page, or everywhere"],
  ["Ctrl K", "go to any page, queue, or job by its id"],
  ["g, then a letter", "go to a page: "],
  ["j and k", "the next and the previous row"],
  ["Enter", "open the row"],
  ["← → + -", "on a chart: its values, a part of it larger, and all"],
  [".", "let what is shown stand still, or go on"],
  ["Esc", "close"],
];
const SECOND = 1_500; // milliseconds in which the letter behind g must come

let leader = 0;

export function listen({ toggle, pages }) {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") return done(event, () => openPalette(pages()));
    if (event.ctrlKey || event.metaKey || event.altKey || isOpen() || writes(event.target)) return;
    const page = Date.now() - leader < SECOND && pages().find(([, , key]) => key === event.key);
    leader = event.key === "g" ? Date.now() : 0;
    if (page) return done(event, () => go(at(page[0])));
    const act = { "?": () => help(pages()), "/": () => search(pages), j: () => step(1), k: () => step(-1), ".": toggle }[event.key];
    if (act) done(event, act);
  });
  document.querySelector(".skip").addEventListener("click", (event) => done(event, () => document.getElementById("main").focus()));
}

function done(event, act) {
  event.preventDefault();
  act();
}

const writes = (element) => element.closest?.("input, textarea, select, [contenteditable]");

function search(pages) {
  const field = document.querySelector("[data-search]");
  if (!field) return openPalette(pages());
  field.focus();
  field.select();
}

/** The focus goes to the first link or button of the next row. */
function step(by) {
  const rows = [...document.querySelectorAll("#main [data-row]")].filter((row) => row.querySelector("a, button"));
  const present = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[present < 0 ? (by > 0 ? 0 : rows.length - 1) : present + by];
  const to = row?.querySelector("a, button");
  to?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

function help(pages) {
  present({}, () => [
    titled("Keys"),
    h("dl.facts.keys", {}, KEYS.map(([key, text]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, text, text.endsWith(" ") ? pages.map(([, name, letter]) => `${letter} ${name}`).join(", ") : null)))),
    h("div.row.end", {}, h("button.primary", { onclick: close }, "Close")),
  ]);
}
