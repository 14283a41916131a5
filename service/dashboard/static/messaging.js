// Messages: a page for each channel, the deliveries that nobody knows of, and the opt-outs.

import { asked } from "./api.js";
import { button } from "./action.js";
import { typed, write } from "./exact.js";
import { unknownDeliveries } from "./deliveries.js";
import { channels } from "./overview.js";
import { at, card, column, count, dict, empty, figure, h, items, jobLink, list, listing, note, number, once, plural, quiet, table, tabs, waiting, when } from "./parts.js";
import { sending, watching } from "./sending.js";
import { said } from "./shown.js";

/** The channels by which the app sends. */
export const sends = (told) => items(told).filter(({ queues }) => list(queues).length).map(({ name }) => name);
export const silent = () => empty("The app that runs here sends no messages.");

export const messaging = {
  title: ({ at }) => (at.part ? `Messaging: ${at.part}` : "Messaging"),
  asks: ({ at: { part }, local, query, me }) => ({
    channels: { path: "channels", every: 5, isPage: true },
    unknown: { path: "deliveries/unknown?limit=100", every: 5, maybe: true },
    ...(part === "opt-outs" ? { optOuts: { path: `opt-outs?${asked({ limit: 100, cursor: query.cursor })}`, every: 10 } } : {}),
    ...(part === "inbox" ? inboxOf(me) : {}),
    ...watching(local.sent),
  }),
  body(page) {
    const { at: { part }, data } = page;
    const names = sends(data.channels);
    if (!names.length) return silent();
    return [
      tabs("Part", part ?? "", [["", "Channels", at("messaging")], ...names.map((name) => [name, `Send: ${name}`, at("messaging", name)]), ["unknown", "Unknown deliveries", at("messaging", "unknown")], ["opt-outs", "Opt-outs", at("messaging", "opt-outs")], ...(offers(page.me) ? [["inbox", "Inbox of the sandbox", at("messaging", "inbox")]] : [])]),
      !part ? card("Channels", channels(items(data.channels))) : part === "unknown" ? once(data.unknown, () => unknownDeliveries(data.unknown)) : part === "opt-outs" ? optOuts(page) : part === "inbox" && offers(page.me) ? once(data.inbox, () => inbox(data.inbox)) : names.includes(part) ? sending(page, part) : empty("There is no such channel."),
    ];
  },
};

const offers = (me) => list(me.offers).includes("inbox");
const inboxOf = (me) => (offers(me) ? { inbox: { path: "inbox?limit=100", every: 2 } } : {});

/** What the sandbox was sent, as it came: a message by its parts, anything else as JSON. */
function inbox(told) {
  const { calls, repeats } = dict(dict(told).totals);
  return listing("Inbox of the sandbox", {
    items: items(told), key: ({ id }) => id, none: "Nothing was sent yet.",
    columns: [
      column("call", ({ id, idempotency_key: key }) => [h("b", {}, id), " ", sender(key)]),
      column("to", ({ body }) => said(dict(body).to ?? dict(body).contact_id ?? "–")),
      column("what", ({ body }) => h("span.text", {}, said(dict(body).message ?? dict(body).subject ?? dict(body).reply ?? body))),
      figure("answer", ({ status, repeat }) => [h("span", { class: status < 300 ? "" : "error" }, String(status)), count(repeat) ? h("small.warn", {}, `the ${number(repeat + 1)}. time`) : null]),
      figure("came", ({ received_at: time }) => when(time)),
    ],
  }, note(`${plural(calls, "call")} came, ${number(repeats)} of them again under the same key. Nothing left this machine.`));
}

/** The job that sent it, which its key names. */
function sender(key) {
  const [, queue, id] = /^(.+):(\d+-\d+)$/.exec(key ?? "") ?? [];
  return id ? jobLink(queue, id, "its job") : null;
}

const FIELDS = [
  { name: "channel", label: "Channel", hint: "sms or email; with an address" },
  { name: "address", label: "Address", hint: "a number or an e-mail address" },
  { name: "contactId", label: "Or a contact", hint: "its id, with its workspace" },
  { name: "workspaceId", label: "Workspace", hint: "empty for all" },
];
const given = (values) => Object.fromEntries(FIELDS.map(({ name }) => [name, values[name]?.trim()]).filter(([, value]) => value).map(([name, value]) => [name, name === "workspaceId" ? typed(value) : value]));

const added = { text: "Add an opt-out", scope: "write", path: "opt-outs", title: "Send no more messages", fields: FIELDS, body: (values) => write(given(values)), done: "No more messages go there." };
const removed = { text: "Take one back", scope: "write", path: "opt-outs/remove", title: "Send messages again", fields: FIELDS, body: (values) => write(given(values)), done: "Messages go there again." };

function optOuts({ data }) {
  const next = dict(dict(data.optOuts).page).next;
  return card("Who wants no more messages", h("div.row", {}, button(added), button(removed)), data.optOuts ? table({
    name: "Opt-outs", items: items(data.optOuts), key: ({ subject }) => subject, none: "Nobody has opted out.",
    columns: [
      column("who", ({ subject }) => subject),
      column("of", ({ workspaces }) => Object.entries(dict(workspaces)).map(([workspace, how]) => h("p", { key: workspace }, workspace === "*" ? "all workspaces" : workspace, quiet(` ${how}`)))),
      column("until", ({ until }) => when(until)),
    ],
  }) : waiting(), next ? h("a", { href: at("messaging", "opt-outs", { cursor: next }) }, "More") : null);
}
