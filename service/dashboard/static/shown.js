// Text of others as people may read it: no character of it can turn the writing round, hide, or forge a line.
// The twin of streamq/model/shown.py.

import { Exact, write } from "./exact.js";

const UNSEEN =
  /[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const SHORT = new Map([["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"]]);

function escape(character) {
  const code = character.codePointAt(0);
  const digits = (size) => code.toString(16).padStart(size, "0");
  return SHORT.get(character) ?? (code < 0x100 ? `\\x${digits(2)}` : code < 0x10000 ? `\\u${digits(4)}` : `\\U${digits(8)}`);
}

/** The text on one line, its unseen characters as escapes such as \x1b and \u202e. */
export const shown = (text) => text.replace(UNSEEN, escape);

/** The same for a text of several lines, such as a traceback. */
export const shownLines = (text) => text.split("\n").map((line) => shown(line.replaceAll("\t", "    "))).join("\n");

/** Any value of JSON as text; an object may have a toString of its own, which is no function. */
export const said = (value) => (typeof value === "object" && !(value instanceof Exact) ? write(value) : String(value));
