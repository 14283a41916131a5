// Fields for a value of which a JSON Schema tells the shape. The value is changed as a whole; what no field fits is written
// as JSON.

import { Exact, parse, write } from "./exact.js";
import { alert, dict, h, list, phrase } from "./parts.js";

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const DEEPEST = 8;

/** The schema that a reference means, and the one beside null in a choice; `isNullable` says that it was. */
function plain(schema, root, depth = 0) {
  const { $ref, anyOf, oneOf, allOf, ...rest } = dict(schema);
  const follow = (next) => ({ ...plain(next, root, depth + 1), ...rest });
  if (depth > DEEPEST) return rest;
  if ($ref !== undefined) return follow(String($ref).replace(/^#\/?/, "").split("/").filter(Boolean).reduce((at, name) => dict(at)[name], root));
  if (list(allOf).length === 1) return follow(allOf[0]);
  const choices = list(anyOf ?? oneOf).map((each) => plain(each, root, depth + 1));
  const others = choices.filter(({ type }) => type !== "null");
  if (choices.length && others.length === 1) return { ...others[0], ...rest, isNullable: others.length < choices.length };
  const types = list(rest.type).filter((type) => type !== "null");
  if (types.length === 1) return { ...rest, type: types[0], isNullable: list(rest.type).length > 1 };
  return choices.length ? { ...rest, isChoice: true } : rest;
}

/** What a new value is: its default, or the emptiest that is allowed. */
export function begun(schema, root = schema, depth = 0) {
  const found = plain(schema, root);
  if ("default" in found) return found.default;
  if ("const" in found) return found.const;
  if (list(found.enum).length) return found.enum[0];
  if (found.isNullable) return null;
  if (found.type !== "object") return { string: "", integer: 0, number: 0, boolean: false, array: [] }[found.type] ?? null;
  const needed = depth > DEEPEST ? [] : list(found.required);
  return Object.fromEntries(needed.map((name) => [name, begun(dict(found.properties)[name], root, depth + 1)]));
}

/** The value with another one at a path; undefined takes it out. */
function changed(value, [name, ...rest], next) {
  const isList = Array.isArray(value);
  const made = isList ? [...value] : { ...dict(value) };
  const inner = rest.length ? changed(made[name], rest, next) : next;
  if (inner !== undefined) made[name] = inner;
  else if (isList) made.splice(name, 1);
  else delete made[name];
  return made;
}

/** Fields for a value. `change(value)` hears of the next one; `problems` are errors of the server. */
export function fields(schema, value, change, problems = []) {
  const tell = (path, next) => change(path.length ? changed(value, path, next) : next);
  return field({ schema, root: schema, path: [], value, label: "", isNeeded: true, tell, problems });
}

const pointer = (path) => `/payload${path.map((name) => `/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")}`;
const within = (path) => (problem) => `${problem.pointer}/`.startsWith(`${pointer(path)}/`);
const told = (problems) => problems.map(({ message, hint }) => alert(phrase([message, hint])));

/** One field, with what the server says of it, and of what lies in it and has no field of its own. */
function field(given) {
  const { schema, root, path, value, label } = given;
  const found = plain(schema, root);
  const at = pointer(path);
  const problems = given.problems.filter(within(path));
  const errors = told(problems);
  const hint = phrase([found.description, "default" in found ? `${write(found.default)} where it is left out` : ""]);
  const isShape = !found.isChoice && !list(found.enum).length && (found.type === "array" || (found.type === "object" && found.properties));
  if (isShape && path.length < DEEPEST) return shape({ ...given, found, hint, problems });
  return h("label", { key: at, class: found.type === "boolean" && given.isNeeded ? "check" : "" }, h("span", {}, label || "payload", given.isNeeded ? "" : h("small", {}, " optional")), control(given, found, errors.length > 0, at.slice(1)), hint ? h("small", {}, hint) : null, errors);
}

/** The control for one value; an empty one of what is not needed is left out. */
function control({ value, path, isNeeded, tell }, found, isWrong, name) {
  const common = { name, "aria-invalid": isWrong ? "true" : null };
  const hear = (read) => (event) => tell(path, event.target.value === "" && !isNeeded ? undefined : read(event.target.value));
  const choices = "const" in found ? [found.const] : found.type === "boolean" && !isNeeded ? [true, false] : list(found.enum);
  if (choices.length) {
    const all = [...(isNeeded && !found.isNullable ? [] : [undefined]), ...choices].map((each) => (each === undefined ? "" : write(each)));
    const present = value == null ? "" : write(value);
    return h("select", { ...common, value: present, onchange: hear(parse) }, all.map((each) => h("option", { value: each, selected: each === present }, each.replaceAll(/^"|"$/g, "") || "–")));
  }
  if (found.type === "boolean") return h("input", { ...common, type: "checkbox", checked: value === true, onchange: (event) => tell(path, event.target.checked) });
  const empty = found.isNullable ? null : undefined;
  const shown = value == null ? "" : typeof value === "object" && !(value instanceof Exact) ? write(value) : String(value);
  if (found.type === "string") return h("input", { ...common, value: shown, oninput: hear((text) => (text === "" && empty === null ? null : text)) });
  if (found.type === "integer" || found.type === "number") return h("input", { ...common, inputmode: "decimal", value: shown, oninput: hear((text) => (NUMBER.test(text) ? parse(text) : text === "" && empty === null ? null : text)) });
  return h("textarea", { ...common, class: "code", rows: 2, value: value === undefined ? "" : write(value), onchange: hear(read) });
}

function read(text) {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

/** An object with its members, or a list with its items. */
function shape(given) {
  const { found, value, path, label, isNeeded, tell, root, hint, problems } = given;
  const isList = found.type === "array";
  const isThere = isList ? Array.isArray(value) : value !== null && typeof value === "object";
  const inner = (name, schema, text, needed) => field({ ...given, schema, path: [...path, name], value: dict(isList ? { ...value } : value)[name], label: text, isNeeded: needed });
  const act = (text, next, to = path) => h("button.small", { "aria-label": `${text} ${label}`, onclick: () => tell(to, next) }, text);
  const needed = new Set(list(found.required));
  const inside = isThere ? (isList ? [...value.keys()] : Object.keys(dict(found.properties))).map((name) => within([...path, name])) : [];
  return h(path.length ? "fieldset" : "div", { class: "shape", key: path.join("/") },
    path.length ? h("legend", {}, label, isNeeded ? "" : " optional") : null,
    hint ? h("small.quiet", {}, hint) : null,
    told(problems.filter((problem) => !inside.some((isIn) => isIn(problem)))),
    !isThere ? h("div.row", {}, act(isList ? "Begin the list" : "Fill in", isList ? [] : begun({ ...found, default: undefined, isNullable: false, properties: found.properties }, root) ?? {})) : isList
      ? [value.map((_, index) => h("div.item", { key: index }, inner(index, found.items ?? {}, `${label} ${index + 1}`, true), act("Take out", undefined, [...path, index]))), h("div.row", {}, act("Add one to", begun(found.items ?? {}, root), [...path, value.length]))]
      : Object.entries(dict(found.properties)).map(([name, schema]) => inner(name, schema, dict(schema).title ?? name, needed.has(name))),
    isThere && path.length && !isNeeded ? h("div.row", {}, act("Leave out", found.isNullable ? null : undefined)) : null,
  );
}
