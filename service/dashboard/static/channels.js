// The channels of the messaging service: how each sends, what waits, and what its workers say. Hidden where there are none.

import * as api from "./api.js";
import { find, h } from "./dom.js";
import { number } from "./format.js";

const EVERY = 5_000;

async function look() {
  if (document.hidden) return;
  try {
    const { data } = await api.channels();
    show(Array.isArray(data) ? data : []);
  } catch {
    // The banner tells that the service cannot be asked, and the key dialog that a key is missing.
  }
}

function show(channels) {
  find("channels").closest("section").hidden = !channels.length;
  find("channels").replaceChildren(h("ul", { class: "plain" }, channels.map(row)));
}

function row(channel) {
  const counts = channel.counts ?? {};
  const waiting = (counts.waiting ?? 0) + (counts.held ?? 0);
  const notes = Object.entries(channel.notes ?? {});
  return h(
    "li",
    {},
    h("strong", {}, channel.name),
    h("span", {}, `${number(waiting)} wait, ${number(counts.delayed ?? 0)} delayed, ${number(counts.failed ?? 0)} failed`),
    h("span", { class: "quiet" }, [limit(channel), (channel.queues ?? []).join(", ")].filter(Boolean).join("; ")),
    notes.map(([worker, text]) => h("span", { class: "warn" }, `${worker}: ${text}`)),
  );
}

function limit(channel) {
  const most = channel.concurrency ? `${number(channel.concurrency)} at once` : "";
  return [most, channel.rate ? `${channel.rate} at most` : ""].filter(Boolean).join(", ");
}

setInterval(look, EVERY);
addEventListener("key-changed", look);
look();
