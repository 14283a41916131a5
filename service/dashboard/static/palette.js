// Go anywhere: to a page, a queue, the jobs that a filter means, or a job by its id alone.

import * as api from "./api.js";
import { close, present, titled } from "./dialog.js";
import { live } from "./live.js";
import { page } from "./page.js";
import { at, dict, go, h, list, quiet } from "./parts.js";

const MOST = 12;
const ID = /^\d+-\d+$|^[0-9A-Za-z][\w-]{9,}$/;

export function openPalette(pages) {
  present({ text: "", chosen: 0, pages, said: "", places: [] }, draw);
}

function found({ text, pages, places }) {
  if (places.length) return places;
  const wanted = text.trim().toLowerCase();
  const fits = (name) => name.toLowerCase().includes(wanted);
  const ids = ID.test(text.trim()) ? [["Find the job", text.trim(), null]] : [];
  const of = pages.map(([path, name]) => ["Page", name, at(path)]);
  const queues = [...live.queues.keys()].sort().flatMap((name) => [["Queue", name, at("queues", name)], ["Failed jobs of", name, at("queues", name, "jobs", { state: "failed" })]]);
  return [...[...of, ...queues].filter(([, name]) => fits(name)), ...ids].slice(0, MOST);
}

function draw(state, again) {
  const results = found(state);
  const choose = async ([, text, address]) => {
    if (address) return close(), go(address);
    state.said = "Looking for it …";
    again();
    try {
      state.places = await placesOf(text);
      if (state.places.length === 1) return close(), go(state.places[0][2]);
      state.said = state.places.length ? "Several queues have a job of that id." : "No queue has a job of that id, or not any more.";
    } catch (error) {
      state.said = error.message;
    }
    again();
  };
  const key = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) state.chosen = Math.max(0, Math.min(results.length - 1, state.chosen + by));
    if (by) event.preventDefault();
    again();
  };
  return h("form.palette", { onsubmit: (event) => (event.preventDefault(), results[state.chosen] && choose(results[state.chosen])) },
    titled("Go to"),
    h("input", {
      name: "palette", placeholder: "a page, a queue, or the id of a job", "aria-label": "A page, a queue, or the id of a job",
      role: "combobox", "aria-expanded": "true", "aria-controls": "found", "aria-activedescendant": results.length ? `found-${state.chosen}` : null,
      oninput: (event) => (Object.assign(state, { text: event.target.value, chosen: 0, said: "", places: [] }), again()), onkeydown: key,
    }),
    h("ul", { id: "found", role: "listbox", "aria-label": "Places", class: "plain" },
      results.map((each, index) => h("li", { key: each.join(" "), id: `found-${index}`, role: "option", "aria-selected": String(index === state.chosen), onclick: () => choose(each) }, quiet(each[0]), " ", each[1])),
    ),
    h("p.quiet", { role: "status" }, state.said || (results.length ? "" : "Nothing fits.")),
  );
}

/** Where the job of an id is: in one queue, in several, or in none. */
async function placesOf(id) {
  const place = (queue) => ["Job in", queue, at("queues", queue, "jobs", id)];
  if (page.isNarrow) return (await Promise.all(page.me.queues.map((queue) => api.get(api.jobAt(queue, id)).then(() => place(queue), () => null)))).filter(Boolean);
  try {
    return [place(dict(await api.get(`jobs/${encodeURIComponent(id)}`)).queue ?? "")];
  } catch (error) {
    if (error.status === 404) return [];
    if (error.status === 409) return list(error.told.queues).map(place);
    throw error;
  }
}
