// A message from a form, and its way until it is delivered.

import { field, initial, refused, submitted, submitter, twins, unplaced } from "./action.js";
import { jobAt } from "./api.js";
import { typed as digits, write } from "./exact.js";
import { isSent } from "./job.js";
import { page } from "./page.js";
import { badge, card, count, dict, empty, ENDED, h, jobLink, note, quiet, when } from "./parts.js";
import { said } from "./shown.js";

const EVERY = 0.5; // seconds between two looks at a message on its way
const OF_ALL = [{ name: "workspaceId", label: "Workspace id", value: "66338" }, { name: "contactId", label: "Contact id, if any" }, { name: "delay", label: "Delay", hint: "seconds, or such as 5m; empty for at once" }];
const FORMS = {
  sms: [{ name: "to", label: "To", value: "+15550100" }, { name: "message", label: "Message", kind: "lines", rows: 3, value: "Hello from streamq" }, ...OF_ALL],
  email: [{ name: "to", label: "To", value: "reader@example.com" }, { name: "subject", label: "Subject", value: "Hello" }, { name: "html", label: "Text in HTML", kind: "lines", rows: 4, value: "<p>Hello from streamq</p>" }, ...OF_ALL],
  ai: [
    { name: "workspace_id", label: "Workspace id", value: "66338" }, { name: "contact_id", label: "Contact id", value: "contact-1" },
    { name: "message_id", label: "Message id" }, { name: "message_text", label: "Message that is answered", kind: "lines", rows: 3, value: "When do you open?" },
    { name: "callback_url", label: "Address for the reply" },
  ],
};

const values = (channel) => ({ ...initial(FORMS[channel]), ...dict(page.local[`form ${channel}`]) });

/** Digits are a number, as the provider knows it; anything else is a string, and the server has the last word. */
const typed = (name, text) => (/^workspace_?id$|^delay$/i.test(name) ? digits(text) : text);

const EMPTY = new Set(["contactId", "delay"]); // left out where nothing is written
const request = (channel) => ({
  scope: "write", path: `messages/${channel}`,
  body: (given) => write(Object.fromEntries(Object.entries(given).filter(([name, text]) => text.trim() || !EMPTY.has(name)).map(([name, text]) => [name, typed(name, text.trim())]))),
});

export function sending(_page, channel) {
  if (!FORMS[channel]) return card(`Send: ${channel}`, note("There is no form for this channel."));
  if (refused()) return card(`Send: ${channel}`, refused());
  const { problem, sent } = page.local;
  const given = values(channel);
  const change = (name) => (event) => page.set({ [`form ${channel}`]: { ...dict(page.local[`form ${channel}`]), [name]: event.target.value } });
  const form = h("form", { id: "send", novalidate: true, onsubmit: (event) => (event.preventDefault(), submit(channel)) },
    FORMS[channel].map((each) => field(each, change(each.name), problem)),
    unplaced(problem, FORMS[channel]),
    submitter("Send"),
    twins(request(channel), given),
  );
  return h("div.columns.even", { key: `send ${channel}` }, card(`Send: ${channel}`, form), card("Its way", sent ? way(sent) : empty("Send a message, and follow it here until it is delivered.")));
}

function submit(channel) {
  const given = values(channel);
  if (channel === "ai" && !given.message_id) given.message_id = `test-${Date.now()}`;
  submitted("send", request(channel), given, (sent) => page.set({ sent }));
}

/** What is asked for while a message is followed. */
export function watching(sent) {
  if (!sent) return {};
  const path = jobAt(sent.queue, sent.id);
  const last = dict(page.data.sent);
  const isDone = ENDED.includes(last.state) && last.id === sent.id;
  return {
    sent: { path, every: isDone ? 10 : EVERY },
    ...(last.id === sent.id && isSent(sent.queue, last) ? { delivery: { path: `${path}/delivery`, every: isDone ? 2 : EVERY, maybe: true } } : {}),
  };
}

function way(sent) {
  const job = dict(page.data.sent).id === sent.id ? page.data.sent : sent;
  const delivery = dict(page.data.delivery);
  const takes = sent.segments ? `${sent.segments} ${count(sent.segments) === 1 ? "segment" : "segments"} of ${String(sent.encoding).toUpperCase()}` : null;
  const steps = [
    ["taken", when(job.created_at), true],
    ["waits", job.due_at && job.state === "delayed" ? ["due ", when(job.due_at)] : null, job.state !== undefined],
    ["given to the provider", job.started_at ? when(job.started_at) : null, Boolean(job.started_at)],
    [job.state === "completed" ? "sent" : job.state, job.error ? h("span.error", {}, said(dict(job.error).message ?? "")) : when(job.finished_at), ENDED.includes(job.state)],
    ["delivered", delivery.state === "delivered" ? "the provider reports it" : delivery.state === "failed" ? h("span.error", {}, delivery.reason) : "no report yet", delivery.state === "delivered"],
  ];
  return [
    h("p.sent", { "data-state": job.state, role: "status" }, badge(job.state), " ", h("strong", {}, delivery.state === "delivered" ? "delivered" : job.state), takes ? quiet(` ${takes}`) : null),
    h("ol.steps", {}, steps.map(([name, told, isDone]) => h("li", { key: name, class: isDone ? "done" : "" }, h("b", {}, name), " ", told))),
    h("p", {}, "Its job: ", jobLink(sent.queue, sent.id)),
  ];
}
