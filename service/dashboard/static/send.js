// Sending a text message without writing code, and watching it travel.

import * as api from "./api.js";
import { find, h } from "./dom.js";
import { since } from "./format.js";
import { icon } from "./states.js";

const FINAL = ["completed", "failed", "cancelled", "expired"];
const LOOK_EVERY = 500;
const LOOKS = 240;
const LOOKS_FOR_A_REPORT = 20; // a provider that reports does so within some seconds; most do not

const form = find("send");
let watched = 0;

function message() {
  const given = Object.fromEntries(new FormData(form));
  const body = { to: given.to, message: given.message, workspaceId: workspace(given.workspaceId.trim()) };
  if (given.contactId.trim()) body.contactId = given.contactId.trim();
  if (given.delay.trim()) body.delay = amount(given.delay.trim());
  return body;
}

/** Digits are a number, as the provider knows it; anything else is a string, and the server has the last word. */
const workspace = (text) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : text);
const amount = (text) => (Number.isNaN(Number(text)) ? text : Number(text));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  clear();
  try {
    watch(await api.sendSms(message()), ++watched);
  } catch (error) {
    complain(error);
  } finally {
    button.disabled = false;
  }
});

function clear() {
  form.querySelectorAll(".error").forEach((note) => note.remove());
  form.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
}

/** Each error beside its field; what belongs to none below the form. */
function complain(problem) {
  const errors = problem.errors?.length ? problem.errors : [{ pointer: "", message: problem.message }];
  for (const error of errors) {
    const field = form.elements.namedItem(error.pointer.slice(1));
    const text = [error.message, error.hint].filter(Boolean).join("; ");
    field?.setAttribute("aria-invalid", "true");
    (field?.closest("label") ?? form).append(h("span", { class: "error", role: "alert" }, text));
  }
  form.querySelector("[aria-invalid]")?.focus();
}

async function watch(sent, mine) {
  for (let looks = 0; looks < LOOKS && mine === watched; looks++) {
    try {
      const job = await api.job(sent.queue, sent.id);
      const ended = FINAL.includes(job.state);
      const delivery = ended ? await api.delivery(sent.queue, sent.id).catch(() => null) : null;
      show(job, sent, delivery);
      if (ended && (job.state !== "completed" || delivery?.state !== "sent" || looks > LOOKS_FOR_A_REPORT)) return;
    } catch (error) {
      find("sent").replaceChildren(h("p", { class: "error" }, error.message));
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
}

function show(job, sent, delivery) {
  const address = `#${new URLSearchParams({ queue: job.queue, state: job.state })}`;
  find("sent").replaceChildren(
    h(
      "p",
      { class: "sent", "data-state": job.state },
      icon(job.state),
      h("span", {}, h("strong", {}, delivery?.state === "delivered" ? "delivered" : job.state), ` ${story(job)}`),
      h("span", { class: "quiet" }, size(sent)),
      h("a", { href: address }, job.queue),
      h("code", {}, job.id),
    ),
  );
}

/** What the text takes on the air. */
function size(sent) {
  if (!sent.segments) return "";
  return `${sent.segments} ${sent.segments === 1 ? "segment" : "segments"} of ${String(sent.encoding).toUpperCase()}`;
}

function story(job) {
  if (job.state === "completed") return job.result?.provider_id ? `and taken as ${job.result.provider_id}` : "";
  if (job.state === "delayed") return `and due ${since(job.due_at)}${job.error ? `; ${job.error.message}` : ""}`;
  return job.error ? `: ${job.error.message}` : "";
}
