// One dialog, in which a page asks for what it needs; the focus goes back to where it was.

import { h, patch } from "./render.js";

const dialog = () => document.getElementById("dialog");
let [shown, place] = [null, ""];

/** Show what `draw(state, again)` tells; `again()` draws it anew. */
export function present(state, draw) {
  place = location.hash;
  const mine = (shown = {});
  const again = () => {
    if (shown === mine) patch(dialog(), draw(state, again));
  };
  patch(dialog());
  again();
  if (!dialog().open) dialog().showModal();
  dialog().querySelector("input, textarea, select, [data-first], button.primary")?.focus();
  return again;
}

/** What a dialog shows: its title, and what follows. */
export const titled = (title, ...rest) => [h("h2", { id: "dialog-title" }, title), rest];

export const close = () => dialog().close();

/** What was written into it, a secret perhaps, is nowhere any more. */
dialog().addEventListener("close", () => {
  if (dialog().open) return;
  shown = null;
  patch(dialog());
});

/** What it asks is about the address at which it began. */
addEventListener("hashchange", () => location.hash === place || close());

export const isOpen = () => dialog().open;
