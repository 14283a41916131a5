// A new job: a form for its payload beside the same as JSON, options, and twins for a terminal.

import { command, field, refused, submitted, submitter, twins, unplaced } from "./action.js";
import { queueAt } from "./api.js";
import { parse, typed, write } from "./exact.js";
import { page } from "./page.js";
import { alert, at, card, dict, go, h, items, later, list, note, PRIORITIES, quiet } from "./parts.js";
import { begun, fields } from "./schema.js";

const OPTIONS = [
  ["delay", "Delay", "seconds, or such as 5m"], ["at", "Or at", "as 2030-01-31T09:00:00Z"], ["priority", "Priority"], ["group", "Group"], ["key", "Key", "one job at a time has it"],
  ["attempts", "Attempts"], ["timeout", "Time limit of a run", "such as 30s"], ["expires", "Expires", "after so long, or at a time"], ["units", "Units of shared limits"], ["keep_result", "Its result is kept", "such as 1h"],
];
const WHOLE = new Set(["attempts", "units"]);

const known = () => items(page.data.tasks);
/** The task that is chosen: of one name there may be one in each queue. */
function present() {
  const named = known().filter(({ name }) => name === page.query.task);
  return named.find(({ queue: of }) => of === page.query.queue) ?? named[0] ?? {};
}
/** The schema that makes a form; of one that allows anything, nobody can. */
function form() {
  const { type = "object", properties, $ref, anyOf, enum: values } = dict(present().schema);
  return type !== "object" || properties || $ref || anyOf || values ? present().schema : undefined;
}
const queueOf = () => page.query.queue || present().queue || list(page.me.queues)[0] || "default";

/** The payload as it is written: what a person changed, or what the schema begins with. */
function draft() {
  const { task } = page.query;
  const { schema } = present();
  if (page.local.raw === undefined || page.local.of !== task || (!page.local.touched && page.local.schema !== schema)) {
    Object.assign(page.local, { of: task, schema, touched: false, raw: write(schema ? begun(schema) : null, "  "), problem: null });
  }
  return page.local.raw;
}

function payload() {
  try {
    return { value: parse(draft()) };
  } catch (error) {
    return { error };
  }
}

const options = () => Object.entries(dict(page.local.options)).filter(([, value]) => value.trim());
const act = {
  fields: [{ name: "task", required: true }], check: () => void parse(draft()),
  scope: "write", path: () => `${queueAt(queueOf())}/jobs`,
  body: () => `${write({ task: page.query.task ?? "", ...Object.fromEntries(options().map(([name, value]) => [name, WHOLE.has(name) ? typed(value) : value])) }).slice(0, -1)},"payload":${compact()}}`,
  cli: () => command("job", "enqueue", queueOf(), page.query.task ?? "", { payload: compact(), ...Object.fromEntries(options()) }),
};

function compact() {
  const { value, error } = payload();
  return error ? draft() : write(value);
}

const submit = () => submitted("new", act, {}, (made) => go(at("queues", made.queue, "jobs", made.id)));

export const newJob = {
  title: () => "New job",
  asks: () => ({ tasks: { path: "tasks", every: 60, maybe: true } }),
  head: () => quiet(present().description ?? ""),
  body({ query, local: { problem } }) {
    const schema = form();
    const raw = draft();
    const { value, error } = payload();
    const change = (text) => page.set({ raw: text, touched: true, problem: null });
    const errors = problem?.errors ?? [];
    const isPlaced = (pointer) => (schema && pointer?.startsWith("/payload")) || OPTIONS.some(([name]) => pointer === `/${name}`);
    return refused() ?? [
      h("form", { id: "new", key: "new", novalidate: true, onsubmit: (event) => (event.preventDefault(), submit()) },
        h("div.filters", { key: "what" }, chosen(query), queue(query)),
        h("div.columns.even", { key: schema ? "form" : "free" }, schema ? [shaped(schema, value, error, change, errors), h("div", {}, written(raw, error, change), more(problem))] : [written(raw, error, change, query.task ? "Nobody has told what its payload is made of." : "Choose a task, or write the name of one."), more(problem)]),
        unplaced(problem, [], isPlaced),
        submitter("Enqueue", query.task),
        h("section.card", { key: "twins" }, twins(act, query, true))),
    ];
  },
};

const shaped = (schema, value, error, change, errors) =>
  card("Payload", error ? note("The fields are back once the JSON beside them can be read.") : fields(schema, value, (next) => change(write(next, "  ")), errors));

const written = (raw, error, change, says) =>
  card("The payload as JSON", says ? note(says) : null, h("label", {}, h("span.unseen", {}, "The payload as JSON"), h("textarea.code", { name: "raw", rows: 12, value: raw, "aria-invalid": error ? "true" : null, oninput: (event) => change(event.target.value) }), error ? alert(error.message) : null));

const more = (problem) => card("Options", h("div.options", {}, OPTIONS.map((each) => option(each, problem))));

const chosen = (query) =>
  [field({ name: "task", label: "Task", list: "tasks", value: query.task, required: true }, later("task", {}, 0)), h("datalist", { id: "tasks" }, known().map(({ name, queue: of }) => h("option", { key: name, value: name }, of)))];

const queue = (query) => field({ name: "queue", label: "Queue", value: query.queue, placeholder: queueOf() }, later("queue", {}, 0));

const option = ([name, label, hint], problem) =>
  field({ name, label, hint, value: dict(page.local.options)[name] ?? "", options: name === "priority" ? PRIORITIES : undefined, none: "as the task says" }, (event) => page.set({ options: { ...dict(page.local.options), [name]: event.target.value } }), problem);
