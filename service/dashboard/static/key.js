// The dialog that asks for an API key, and says when one is not known.

import { enter } from "./api.js";
import { close, isOpen, present } from "./dialog.js";
import { alert, note } from "./parts.js";
import { h } from "./render.js";

export function askForKey() {
  if (!isOpen()) present({ key: "", error: "", busy: false }, draw);
}

function draw(state, again) {
  const submit = async (event) => {
    event.preventDefault();
    Object.assign(state, { busy: true, error: "" });
    again();
    try {
      await enter(state.key);
      close();
    } catch (error) {
      Object.assign(state, { busy: false, error: said(error) });
      again();
      document.querySelector("#dialog [name=key]")?.select();
    }
  };
  return h("form", { onsubmit: submit },
    h("h2", { id: "dialog-title" }, "API key"),
    note("This server asks for a key. It is kept for this tab alone."),
    h("label", {},
      h("span", {}, "Key"),
      h("input", { name: "key", type: "password", required: true, "aria-invalid": state.error ? "true" : null, oninput: (event) => (state.key = event.target.value) }),
      state.error ? alert(state.error) : null,
    ),
    h("div.row.end", {}, h("button.primary", { type: "submit", disabled: state.busy }, "Continue")),
  );
}

const said = (error) => (error.told?.queues ? `This key is for some queues only: ${error.told.queues.join(", ")}. The dashboard asks for all: give one that is for all.` : error.status === 401 ? "The server does not know this key. Look whether all of it was copied." : error.message);
