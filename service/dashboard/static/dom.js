// Elements are made here and nowhere else. Whatever comes from outside becomes a text node, never markup, with its
// unseen characters as escapes.

import { said, shown, shownLines } from "./shown.js";

const SVG = "http://www.w3.org/2000/svg";

const READ = new Set(["title", "alt", "aria-label", "placeholder"]); // attributes that people read; others stay as they are

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : READ.has(name) ? shown(said(value)) : String(value));
  }
  const text = element.localName === "pre" ? shownLines : shown;
  const given = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...given.map((child) => (child instanceof Node ? child : text(said(child)))));
  return element;
}

/** h("p", {class: "note"}, "text", element): an element with attributes, listeners ("onclick") and children. */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

export const svg = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

export const find = (id) => document.getElementById(id);

/** Set the text of an element only when it differs, so that a selection survives. */
export function write(element, text) {
  const fit = shown(said(text));
  if (element.textContent !== fit) element.textContent = fit;
}
