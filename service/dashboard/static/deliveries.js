// Deliveries: what is known of messages beyond this service; a person settles the unknown ones.

import { button } from "./action.js";
import { jobAt } from "./api.js";
import { write } from "./exact.js";
import { actsColumn, card, column, dict, facts, h, items, jobLink, listing, note, number, small, when } from "./parts.js";
import { said } from "./shown.js";

const WAYS = [
  { as: "sent", text: "It was sent", note: "Its job is completed." },
  { as: "failed", text: "It failed", note: "Its job fails." },
  { as: "resend", text: "Send it again", note: "If it went out after all, its reader gets it twice.", isDangerous: true },
];

const settled = (queue, id, { as, text, note, isDangerous }) => ({
  text, note, isDangerous, scope: "write", path: `${jobAt(queue, id)}/delivery`, title: `${text}: settle the delivery`,
  body: () => write({ as }),
  done: ({ state }) => `The delivery is ${state}.`,
});

const settling = ({ queue, id }) => WAYS.map((way) => button(settled(queue, id, way), { class: "small" }));

export const deliveryCard = (found) =>
  card("Delivery", facts({
    state: h("span", { class: found.state === "failed" || found.state === "unknown" ? "error" : "" }, found.state), channel: found.channel, provider: found.provider,
    "id there": found.provider_id == null ? null : said(found.provider_id), workspace: said(found.workspace_id ?? ""), "given out": when(found.at), reason: found.reason,
  }), found.state === "unknown" ? h("div.row.end", {}, settling(found)) : null);

export function unknownDeliveries(told) {
  return listing(`Unknown deliveries: ${number(dict(told).total ?? 0)}`, {
    items: items(told), key: ({ queue, id }) => `${queue} ${id}`, none: "There is none.",
    columns: [
      column("job", ({ queue, id }) => jobLink(queue, id)),
      column("channel", ({ channel, provider }) => [channel, provider ? small(provider) : null]),
      column("workspace", ({ workspace_id }) => said(workspace_id ?? "–")),
      column("given out", ({ at }) => when(at)),
      column("why", ({ reason }) => reason),
      actsColumn(settling),
    ],
  }, note("Nobody knows whether these were sent: the provider did not answer in time. Look there, and say what became of them."));
}
