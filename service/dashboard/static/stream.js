// Server-sent events over fetch, because an EventSource cannot carry an API key.

import { open } from "./api.js";
import { parse } from "./exact.js";

const SILENCE = 40_000; // two heartbeats and a bit: a connection that says nothing for longer is dead
const LONGEST_WAIT = 10_000;

/** Follow the live counts for as long as the tab is visible. `hear(name, data)`, `lost(reason)`. */
export function follow(hear, lost) {
  let connection = null;
  let lastId = "";
  let failures = 0;
  let timer = 0;

  async function connect() {
    clearTimeout(timer);
    if (connection || document.hidden) return;
    const mine = (connection = new AbortController());
    try {
      const response = await open("events", { signal: mine.signal, headers: lastId ? { "Last-Event-ID": lastId } : {} });
      await read(response.body, mine);
      throw new Error("the server closed the stream");
    } catch (error) {
      if (connection !== mine) return; // we let go of it ourselves
      connection = null;
      lost(error.message);
      timer = setTimeout(connect, Math.min(LONGEST_WAIT, 500 * 2 ** failures++));
    }
  }

  async function read(body, mine) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const silence = setTimeout(() => mine.abort(), SILENCE);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      events.forEach(tell);
    }
  }

  function tell(event) {
    const fields = Object.fromEntries(
      event.split("\n").filter((line) => !line.startsWith(":")).map((line) => line.split(/: (.*)/s, 2)),
    );
    if (!fields.event) return;
    lastId = fields.id ?? lastId;
    failures = 0;
    hear(fields.event, parse(fields.data));
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return void connect();
    const left = connection;
    connection = null;
    left?.abort();
  });
  addEventListener("key-changed", () => connect());
  addEventListener("online", () => connect());
  connect();
}
