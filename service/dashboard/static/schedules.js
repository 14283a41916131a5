// Schedules: when each runs next, how the last run ended, and one of them with its next times.

import { act, button, command, resting, theSchedule } from "./action.js";
import { jobAt, scheduleAt } from "./api.js";
import { parse, write } from "./exact.js";
import { actsColumn, age, amount, at, badge, card, column, crumbs, dict, facts, figure, framed, go, h, items, jobLink, link, listing, mark, number, once, plural, PRIORITIES, queueColumn, queueLink, since, small, span, table, warn, when } from "./parts.js";

const LATE = 60;

const rule = ({ cron, every, at: once, zone }) => (cron ? `${cron} (${zone ?? "UTC"})` : every ? `every ${span(every)}` : once ? `once, ${since(once)}` : "–");

const run = (name) => act(theSchedule(name), "run", {
  text: "Run now", scope: "write", title: `Run ${name} now`, note: "Beside what is planned.",
  done: ({ queue, id }) => [`${name} runs as `, jobLink(queue, id)],
});

const rest = ({ name, paused }) => resting(theSchedule(name), paused ? "Resume" : "Pause", name, { scope: "write" });

const remove = (name) => act(theSchedule(name), "rm", {
  text: "Remove", isDangerous: true, scope: "write", method: "DELETE", title: `Remove ${name}`, note: "Its jobs stay.",
  done: () => (go(at("schedules")), `${name} is removed.`),
});

const CHOICES = { overlap: ["", "skip", "queue", "allow"], misfire: ["", "skip", "once", "all"], priority: PRIORITIES };
const FIELDS = [
  ["task", "Task"], ["queue", "Queue", "empty for the task's"], ["cron", "Cron line", "such as 0 9 * * MON-FRI; this, an interval or a time"], ["every", "Interval", "such as 5m"],
  ["at", "One time", "as 2030-01-31T09:00:00Z"], ["zone", "Time zone", "such as Europe/Berlin; UTC where it is empty"], ["start", "Not before"], ["end", "Not after"],
  ["jitter", "Put off by chance, at most"], ["overlap", "While the last run goes on"], ["misfire", "Runs that nobody was there for"], ["priority", "Priority"], ["group", "Group"],
];
const seconds = (value) => (amount(value) ? `${amount(value)}s` : "");

/** A schedule in full, with all that it is told: what is left empty goes back to what is usual. */
function put(told = {}) {
  const held = { ...told, every: seconds(told.every), jitter: seconds(told.jitter) };
  const isNew = told.name === undefined;
  const name = (values) => (isNew ? values.name.trim() : told.name);
  const given = (values) => Object.fromEntries(FIELDS.map(([each]) => [each, values[each]?.trim()]).filter(([, value]) => value));
  const rest = { ...(told.calendar ? { calendar: told.calendar } : {}), ...(amount(told.misfire_limit) ? { misfire_limit: told.misfire_limit } : {}), version: isNew ? 0 : told.version };
  return {
    text: isNew ? "New schedule" : "Change", sure: isNew ? "Make it" : "Change it", scope: "write", method: "PUT", path: (values) => scheduleAt(name(values)), title: isNew ? "New schedule" : `Change ${told.name}`,
    note: isNew ? null : `Only as version ${told.version}: if somebody else changed it meanwhile, nothing happens.`,
    fields: [
      ...(isNew ? [{ name: "name", label: "Name", required: true }] : []),
      ...FIELDS.map(([each, label, hint]) => ({ name: each, label, hint, required: each === "task", value: String(held[each] ?? ""), options: CHOICES[each] })),
      { name: "payload", label: "Payload", kind: "json", value: write(told.payload ?? null, "  "), rows: 5 },
    ],
    check: ({ payload }) => void parse(payload),
    body: (values) => `${write({ ...given(values), ...rest }).slice(0, -1)},"payload":${values.payload}}`,
    cli(values) {
      const { task, queue = "default", ...options } = given(values);
      return command("schedule", "put", name(values), queue, task, { ...options, payload: values.payload, holidays: dict(told.calendar).holidays, version: String(rest.version) });
    },
    done: (made) => (go(at("schedules", made.name)), `${made.name} runs as it is told.`),
  };
}

export const schedules = {
  title: () => "Schedules",
  asks: () => ({ found: { path: "schedules", every: 5, isPage: true } }),
  head: () => button(put()),
  body: ({ data }) => framed(rows(items(data.found))),
};

function rows(found) {
  return table({
    name: "Schedules", items: found, key: ({ name }) => name, none: "There is no schedule.",
    columns: [
      column("schedule", ({ name, task }) => [link(at("schedules", name ?? ""), name), small(task)]),
      queueColumn,
      column("runs", rule),
      column("next", next),
      column("last", ({ last_at, last_job, queue }) => (last_job ? jobLink(queue, last_job, when(last_at)) : "not yet")),
      figure("ran", ({ runs }) => number(runs)),
      figure("skipped"),
      figure("missed"),
      actsColumn((each) => [run(each.name), rest(each)].map((act) => button(act, { class: "small" }))),
    ],
  });
}

function next({ next_at, paused, orphaned, state }) {
  if (paused) return mark(`paused${dict(paused).reason ? `: ${dict(paused).reason}` : ""}`);
  if (age(next_at) > LATE) return h("span.error", {}, `late by ${span(age(next_at))}`);
  return [next_at ? when(next_at) : (state ?? "–"), orphaned ? mark("no code declares it any more") : null];
}

export const schedule = {
  title: ({ at }) => at.name,
  asks: ({ at: { name }, data }) => ({
    told: { path: scheduleAt(name), every: 5, isPage: true },
    preview: { path: `${scheduleAt(name)}/preview?count=10`, every: 30 },
    ...(dict(data.told).last_job ? { last: { path: jobAt(data.told.queue, data.told.last_job), every: 5, maybe: true } } : {}),
  }),
  way: () => crumbs(link(at("schedules"), "Schedules")),
  head({ at: { name }, data: { told } }) {
    const isOfCode = told.source === "code";
    return [run(name), isOfCode ? null : put(told), rest(told), isOfCode && !told.orphaned ? null : remove(name)].map((act) => button(act));
  },
  body({ data }) {
    const { told } = data;
    return [
      h("div.columns", { key: "columns" },
        h("div", {}, once(data.preview, planned), card("Payload", h("pre", { tabindex: 0 }, write(told.payload ?? null, "  ")))),
        h("div", {}, card("Facts", facts({
          task: told.task, queue: queueLink(told.queue), runs: rule(told), next: next(told), "last planned": when(told.last_planned_at),
          "started behind its time": drift(told), "last outcome": outcome(told, data.last), ran: plural(told.runs, "time"), skipped: number(told.skipped), missed: number(told.missed),
          overlap: told.overlap, misfire: told.misfire, jitter: amount(told.jitter) ? span(told.jitter) : null, priority: told.priority, group: told.group,
          "declared by": told.source, version: number(told.version), holidays: dict(told.calendar).holidays,
        })))),
    ];
  },
};

function drift({ last_planned_at, last_at }) {
  const seconds = (Date.parse(last_at) - Date.parse(last_planned_at)) / 1000;
  return Number.isNaN(seconds) ? null : span(Math.max(0, seconds));
}

const outcome = ({ queue, last_job }, last) => (last_job ? [last ? badge(last.state) : "its record is not kept any more", " ", jobLink(queue, last_job, "the job")] : "it has not run yet");

function planned(found) {
  return listing("The next times", {
    items: found, key: (_, index) => index, none: "It does not run any more.",
    columns: [
      column("in", ({ at: moment }) => when(moment)),
      column("time there", ({ local }) => String(local ?? "–").replace("T", " ")),
      column("", ({ note }) => (note ? warn(note) : null), "note"),
    ],
  });
}
