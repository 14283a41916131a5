// JSON with numbers of any size: what JavaScript would round, or write otherwise, is kept as its text.

const LARGE = 300_000; // characters; a larger document is read without a look at each number where none of it is too long

/** Whether this browser tells how a number was written, as those since 2025 do. */
export const isExact = "rawJSON" in JSON;

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
  const isPlain = text.length > LARGE && !/\d{16}/.test(text);
  try {
    return JSON.parse(text, isPlain ? undefined : (_, value, told) => (typeof value === "number" && told ? number(told.source) : value));
  } catch (error) {
    throw new SyntaxError(`it is no JSON: ${error.message}`);
  }
}

/** A value as JSON, its numbers as they came. */
export const write = (value, indent = "") => JSON.stringify(value, (_, each) => (each instanceof Exact ? JSON.rawJSON(each.text) : each), indent) ?? "null";
