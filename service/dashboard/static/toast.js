// A line that says what was done. It is read out, and goes after a while, not while it is looked at.

import { h, patch } from "./render.js";

const STAYS = 8_000;
let lines = [];
let number = 0;

export function say(text) {
  lines = [...lines, { key: ++number, text }].slice(-3);
  show();
  setTimeout(leave, STAYS, number);
}

function leave(key) {
  if (document.querySelector("#toasts:hover, #toasts:focus-within")) return void setTimeout(leave, STAYS, key);
  lines = lines.filter((line) => line.key !== key);
  show();
}

function show() {
  patch(document.getElementById("toasts"), lines.map(({ key, text }) => h("p", { key }, text)));
}
