// One dialog, in which a page asks for what it needs; the focus goes back to where it was.

import { patch } from "./render.js";

const dialog = () => document.getElementById("dialog");
let shown = null;

/** Show what `draw(state, again)` tells; `again()` draws it anew. */
export function present(state, draw) {
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

export function close() {
  shown = null;
  dialog().close();
}

export const isOpen = () => dialog().open;
