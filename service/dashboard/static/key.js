// Asks for an API key, and says when one is not known.

import { begin } from "./action.js";
import { enter } from "./api.js";
import { isOpen } from "./dialog.js";

function told(error) {
  if (error.status === 401) error.message = "The server does not know this key. Look whether all of it was copied.";
  throw error;
}

export const askForKey = () => isOpen() || begin({
  title: "API key", text: "Continue", note: "This server asks for a key. It is kept for this tab alone.",
  fields: [{ name: "key", label: "Key", kind: "password", required: true }],
  send: ({ key }) => enter(key).catch(told),
  done: "The key is known.",
});
