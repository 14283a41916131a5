// What a page shows is told as a tree, and the elements are changed to be so: what has not changed stays as it is, with its
// focus, its selection and its scroll position. Whatever comes from outside becomes text, never markup.

import { said, shown, shownLines } from "./shown.js";

const SVG = "http://www.w3.org/2000/svg";
const MADE = Symbol("what an element was made of");
const HEARS = Symbol("the listeners of an element");
const READ = new Set(["title", "alt", "aria-label", "placeholder"]); // attributes that people read
const ONCE = new Set(["open"]); // what people change themselves: only said when the element is made
const LATE = new Set(["value", "checked"]); // properties, set behind the children and only where the tree changes

const USUAL = { button: { type: "button" }, input: { autocomplete: "off" } };

const isGiven = (child) => child != null && typeof child !== "boolean";

/** h("p.note", { key: 1 }, "text", h("b")): a tag with classes, attributes, listeners, a key among siblings, and children. */
export function h(name, props, ...children) {
  const [tag, ...classes] = name.split(".");
  return { tag, props: classes.length ? { class: classes.join(" "), ...props } : (props ?? {}), key: props?.key, children: children.flat(Infinity).filter(isGiven) };
}

/** Make the children of an element as the tree says. */
export function patch(parent, ...children) {
  const active = document.activeElement;
  fill(parent, children.flat(Infinity).filter(isGiven), parent.namespaceURI === SVG);
  if (active !== document.activeElement && active?.isConnected) active.focus({ preventScroll: true });
}

function fill(parent, children, isSvg) {
  const keyed = new Map();
  const loose = [];
  for (const node of parent.childNodes) {
    if (node[MADE]?.key === undefined) loose.push(node);
    else keyed.set(node[MADE].key, node);
  }
  const wanted = children.map((child) => shownAs(child, taken(child, keyed, loose), parent, isSvg));
  const kept = new Set(wanted);
  for (const node of [...parent.childNodes]) if (!kept.has(node)) node.remove();
  wanted.forEach((node, index) => {
    if (parent.childNodes[index] !== node) parent.insertBefore(node, parent.childNodes[index] ?? null);
  });
}

/** The node that is there already for a child, or null. */
function taken(child, keyed, loose) {
  if (child.key !== undefined) {
    const found = keyed.get(child.key);
    if (found?.[MADE].tag !== child.tag) return null;
    keyed.delete(child.key);
    return found;
  }
  const at = loose.findIndex((node) => (child.tag ? node[MADE]?.tag === child.tag : node.nodeType === Node.TEXT_NODE));
  return at < 0 ? null : loose.splice(0, at + 1)[at];
}

function shownAs(child, node, parent, isSvg) {
  if (!child.tag) return text(child, node, parent);
  const inSvg = isSvg || child.tag === "svg";
  const element = node ?? (inSvg ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag));
  const before = node?.[MADE].props ?? {};
  if (!node && child.tag in USUAL) attributes(element, {}, USUAL[child.tag], true);
  attributes(element, before, child.props, !node);
  fill(element, child.children, inSvg);
  for (const name of LATE) if (child.props[name] !== before[name]) element[name] = child.props[name];
  element[MADE] = child;
  return element;
}

function text(child, node, parent) {
  const fit = parent.localName === "pre" ? shownLines(said(child)) : shown(said(child));
  if (!node) return document.createTextNode(fit);
  if (node.data !== fit) node.data = fit;
  return node;
}

function attributes(element, before, props, isNew) {
  for (const name of new Set([...Object.keys(before), ...Object.keys(props)])) {
    const value = props[name];
    if (name === "key" || LATE.has(name) || (ONCE.has(name) && !isNew)) continue;
    if (name.startsWith("on")) listen(element, name.slice(2), value);
    else if (name === "style") styled(element, value ?? {});
    else if (value !== before[name]) attribute(element, name, value);
  }
}

function attribute(element, name, value) {
  if (value == null || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : READ.has(name) ? shown(said(value)) : String(value));
}

function styled(element, rules) {
  for (const [name, value] of Object.entries(rules)) element.style.setProperty(name, value);
}

function listen(element, type, listener) {
  const hears = (element[HEARS] ??= {});
  if (!(type in hears)) element.addEventListener(type, (event) => element[HEARS][type]?.(event));
  hears[type] = listener;
}
