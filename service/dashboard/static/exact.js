// JSON with numbers of any size: what a number of JavaScript would round, or write otherwise, is kept as its text.

const LARGE = 300_000; // characters; a larger document is read by the browser where no number of it is too long
const TOKEN = /[\t\n\r ]*(?:([{}[\]:,])|("(?:[^"\\]|\\.)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/suy;

/** A number as it was written. It counts as the nearest number of JavaScript. */
export class Exact {
  constructor(text) {
    this.text = text;
  }
  valueOf() {
    return Number(this.text);
  }
  toString() {
    return this.text;
  }
}

const number = (text) => (String(Number(text)) === text ? Number(text) : new Exact(text));

/** What a person wrote: digits are the number of them, however long it is, and anything else is text. */
export const typed = (text) => (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) ? number(text) : text);

/** The value of a document. Throws SyntaxError. */
export function parse(text) {
  if (text.length > LARGE && !/\d{16}/.test(text)) return JSON.parse(text);
  const next = tokens(text);
  const value = valueOf(next(), next);
  if (next() !== null) throw new SyntaxError("there is more behind the end of the document");
  return value;
}

function tokens(text) {
  let at = 0;
  return () => {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (!found && !text.slice(at).trim()) return null;
    if (!found) throw new SyntaxError(`it is no JSON from character ${at + 1} on`);
    at = TOKEN.lastIndex;
    return found;
  };
}

function valueOf(token, next) {
  if (token === null) throw new SyntaxError("it is no JSON: it ends too early");
  const [, sign, string, digits, word] = token;
  if (string !== undefined) return JSON.parse(string);
  if (digits !== undefined) return number(digits);
  if (word !== undefined) return JSON.parse(word);
  if (sign === "[") return list(next);
  if (sign === "{") return object(next);
  throw new SyntaxError(`it is no JSON: ${sign} stands where a value should`);
}

function list(next) {
  const made = [];
  let token = next();
  while (token?.[1] !== "]") {
    made.push(valueOf(token, next));
    token = following(next(), "]", next);
  }
  return made;
}

function object(next) {
  const made = {};
  let token = next();
  while (token?.[1] !== "}") {
    if (token?.[2] === undefined || next()?.[1] !== ":") throw new SyntaxError("it is no JSON: a member needs a name and a colon");
    const value = valueOf(next(), next);
    Object.defineProperty(made, JSON.parse(token[2]), { value, enumerable: true, configurable: true, writable: true });
    token = following(next(), "}", next);
  }
  return made;
}

/** The end of a list or an object, or what follows a comma. */
function following(token, end, next) {
  if (token?.[1] === end) return token;
  const more = token?.[1] === "," ? next() : null;
  if (!more || more[1] === end) throw new SyntaxError("it is no JSON: a comma is missing, or one too many");
  return more;
}

/** A value as JSON, its numbers as they came. */
export function write(value, indent = "") {
  return written(value, indent, "\n");
}

function written(value, indent, line) {
  if (value instanceof Exact) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const isList = Array.isArray(value);
  const inner = line + indent;
  const colon = indent ? ": " : ":";
  const parts = isList
    ? value.map((item) => written(item, indent, inner))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}${colon}${written(item, indent, inner)}`);
  const [open, close] = isList ? "[]" : "{}";
  if (!parts.length) return open + close;
  return indent ? `${open}${inner}${parts.join(`,${inner}`)}${line}${close}` : `${open}${parts.join(",")}${close}`;
}
