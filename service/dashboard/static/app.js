// The page: live counts arrive here and are handed to the parts that show them.

import { keep } from "./api.js";
import { find, write } from "./dom.js";
import { span } from "./format.js";
import * as jobs from "./jobs.js";
import { showQueues, showTotals } from "./queues.js";
import "./channels.js";
import "./send.js";
import { follow } from "./stream.js";
import { showWorkers } from "./workers.js";

const STALE = 5_000;

const queues = new Map(); // not an object: a queue may be called __proto__
let workers = [];
let paused = {};
let heardAt = 0;
let trouble = "";

function hear(name, data) {
  if (name === "unavailable") return void (trouble = data.detail);
  heardAt = Date.now();
  trouble = "";
  if (name === "snapshot") queues.clear();
  for (const [queue, counts] of Object.entries(data.queues)) {
    if (counts === null) queues.delete(queue);
    else queues.set(queue, counts);
    jobs.changed(queue);
  }
  workers = data.workers ?? workers;
  paused = data.paused ?? paused;
  showTotals(queues);
  showQueues(queues, new Map(Object.entries(paused)), jobs.choose);
  showWorkers(workers);
  jobs.offer([...queues.keys()].sort());
  tick();
}

/** Never silently stale: how old the numbers are, and why they do not move. */
function tick() {
  const age = Date.now() - heardAt;
  const stale = Boolean(trouble) || (heardAt > 0 && age > STALE);
  const known = heardAt ? `Showing what was known ${span(age / 1000)} ago.` : "Nothing is known yet.";
  find("banner").hidden = !stale;
  write(find("banner"), `${trouble || "The live connection is silent."} ${known} Trying again.`);
  find("main").classList.toggle("stale", stale);
  find("freshness").dataset.tone = stale ? "bad" : heardAt ? "good" : "wait";
  write(find("freshness"), !heardAt ? "connecting" : age < 2500 ? "live" : `updated ${span(age / 1000)} ago`);
}

addEventListener("key-needed", () => {
  if (!find("key-dialog").open) find("key-dialog").showModal();
});
find("key-form").addEventListener("submit", (event) => {
  keep(new FormData(event.target).get("key"));
  event.target.reset();
  dispatchEvent(new Event("key-changed"));
});

follow(hear, (reason) => {
  trouble = `The live connection was lost: ${reason}.`;
  tick();
});
setInterval(tick, 1000);
