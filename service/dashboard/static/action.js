// What a person may do: each act is told once, as a request and as its twins for a terminal, and is done in one dialog.
//   text          the word on the button
//   scope         what the key must allow: admin, where it says nothing
//   method, path  of the request, a POST where it says nothing, the path also as path(values); headers(values)
//   body(values, found)  its body as JSON text; where it says nothing, what was written into the fields
//   check(values) throws for what cannot be sent
//   cli(values)   the same on the command line
//   title, note   what the dialog says before; a note may depend on the values
//   prepare(values)  finds out what must be known before it is done: values.found
//   fields        what is asked: { name, label, kind, value, options, required, hint }
//   must          a text to be typed before; isDangerous: for what cannot be undone
//   send(values)  does it where it is no request of its own
//   done          what is said then, a text or a tree; also as done(answer), which may do something

import * as api from "./api.js";
import { parse, typed, write } from "./exact.js";
import { page } from "./page.js";
import { close, present, titled } from "./dialog.js";
import { alert, h, list, note, phrase, quiet, wrong } from "./parts.js";
import { say } from "./toast.js";

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${String(text).replaceAll("'", `'\\''`)}'`);

/** What a person has written; what is empty is left out. */
export const given = (values) => Object.fromEntries(Object.entries(values).filter(([name, value]) => name !== "must" && !["", undefined, false].includes(value)));

const optional = (values) => Object.entries(given(values)).flatMap(([name, value]) => [`--${name.replaceAll("_", "-")}`, ...(value === true ? [] : [value])]);

/** A command line, quoted for a shell, of names and objects of options; `--` stands before a name that looks like an option. */
export function command(noun, word, ...rest) {
  const [names, options] = [rest.filter((each) => typeof each === "string"), rest.filter((each) => typeof each === "object").flatMap((each) => optional(each ?? {}))];
  const words = names.some((name) => name[0] === "-") ? [...options, "--", ...names] : [...names, ...options];
  return ["streamq", noun, word, ...words].map(quoted).join(" ");
}

const bodyOf = ({ body, fields = [] }, values, found) => (body ? body(values, found) : fields.length ? write(given(values)) : undefined);
const placeOf = ({ path }, values) => (typeof path === "function" ? path(values) : path);

/** The request of an act for a terminal. */
export function curl(action, values) {
  const body = bodyOf(action, values);
  const headers = Object.entries({ "Content-Type": "application/json", ...action.headers?.(values) });
  const key = api.hasKey() ? ["-H", '"Authorization: Bearer $STREAMQ_KEY"'] : [];
  const words = ["curl", "-X", action.method ?? "POST", ...headers.flatMap(([name, value]) => ["-H", quoted(`${name}: ${value}`)]), ...key];
  if (body !== undefined) words.push("-d", quoted(body));
  return [...words, quoted(api.address(placeOf(action, values)))].join(" ");
}

/** What acts are done to: its address in the API, and its words on the command line. */
const thing = (path, ...words) => ({ path, words });
export const theJob = ({ queue, id }) => thing(api.jobAt(queue, id), "job", queue, id);
export const theQueue = (queue) => thing(api.queueAt(queue), "queue", queue);
export const theGroup = (queue, group) => thing(api.groupAt(queue, group), "group", queue, group);
export const theSchedule = (name) => thing(api.scheduleAt(name), "schedule", name);
export const theWorker = (name) => thing(api.workerAt(name), "workers", name);
export const theOperation = (id) => thing(`operations/${encodeURIComponent(id)}`, "operation", id);

/** An act by its word on the command line, also the end of its path; with another method it is to the thing itself. */
export const act = ({ path, words: [noun, ...names] }, word, more) => ({
  path: more.method ? path : `${path}/${word}`,
  cli: (values) => command(noun, word, ...names, given(values)),
  ...more,
});

/** To let something rest, and to let it go on. */
export const REASON = { name: "reason", label: "Reason" };
export const resting = (of, text, title, more) => act(of, text.toLowerCase(), {
  text, title: `${text} ${title}`, fields: text === "Pause" ? [REASON] : [],
  done: () => (text === "Pause" ? `${title} is paused.` : `${title} goes on.`),
  ...more,
});

/** Whether the key of this tab allows an act: what it does not allow is not offered. */
const isAllowed = ({ scope = "admin" }) => page.may(scope);

export function button(action, props = {}) {
  if (!action || !isAllowed(action)) return null;
  const tone = `${action.isDangerous ? "danger" : ""} ${props.class ?? ""}`;
  return h("button", { "data-act": action.text, ...props, class: tone, onclick: () => begin(action) }, action.text);
}

/** What fields begin with. */
export const initial = (fields = []) => Object.fromEntries(fields.map(({ name, value }) => [name, value ?? ""]));

/** Limits as a person wrote them. */
export const limits = (values) => write(Object.fromEntries(Object.entries(given(values)).map(([name, value]) => [name, typed(value)])));

/** Ask what is needed, and do it. */
export function begin(action) {
  const values = initial(action.fields);
  const state = { action, values, error: null, busy: false };
  const again = present(state, draw);
  forget = () => state.error?.isAway && again((state.error = null));
  if (action.prepare) prepared(state, again);
}
let forget = null;

/** That the server was away is no news once it is back. */
addEventListener("server-back", () => {
  forget?.();
  if (page.local.problem?.isAway) page.set({ problem: null });
});

/** What cannot be found out cannot be done. */
async function prepared(state, again) {
  state.busy = true;
  again();
  try {
    await state.action.prepare(state.values);
    state.busy = false;
  } catch (error) {
    state.error = error;
  }
  again();
}

function draw(state, again) {
  const { action, values } = state;
  const change = (name) => (event) => {
    values[name] = event.target.type === "checkbox" ? event.target.checked : event.target.value;
    again();
  };
  const typed = action.must === undefined || values.must === action.must;
  return h("form", { onsubmit: (event) => (event.preventDefault(), typed && !state.busy && submit(state, again)) },
    titled(action.title ?? action.text),
    action.note ? h("p.quiet", {}, typeof action.note === "function" ? action.note(values) : action.note) : null,
    (action.fields ?? []).map((each) => field(each, change(each.name), state.error)),
    action.must === undefined ? null : field({ name: "must", label: `Type ${action.must} to go on` }, change("must")),
    unplaced(state.error, action.fields),
    action.send ? null : twins(action, values),
    h("div.row.end", {},
      action.send ? null : h("button", { onclick: close }, "Not now"),
      h("button", { type: "submit", class: action.isDangerous ? "primary danger" : "primary", disabled: !typed || state.busy }, action.sure ?? action.text),
    ),
  );
}

async function submit(state, again) {
  Object.assign(state, { busy: true, error: null });
  again();
  try {
    await perform(state);
    close();
  } catch (error) {
    Object.assign(state, { busy: false, error });
    again();
    document.querySelector("#dialog [aria-invalid], #dialog input")?.select?.();
    if (state.action.prepare) prepared(state, again);
  }
}

const isOf = (fields = []) => (pointer) => fields.some(({ name }) => pointer === `/${name}`);

/** What a problem says, but for the errors that fields show; nothing where these are all. */
export function unplaced(problem, fields, isPlaced = isOf(fields)) {
  if (!problem) return null;
  const [all, loose] = [list(problem.errors), list(problem.errors).filter(({ pointer }) => !isPlaced(pointer))];
  return all.length && !loose.length ? null : h("p.error", { role: "alert", key: "problem" }, wrong({ message: problem.message, errors: loose }));
}

function request(action, values) {
  action.check?.(values);
  if (action.send) return action.send(values);
  return api.send(action.method ?? "POST", placeOf(action, values), bodyOf(action, values, values.found), action.headers?.(values));
}

/** Do what a form on a page says; the focus goes to the first field that is wrong. */
export async function submitted(id, action, values, done) {
  page.set({ busy: true, problem: null });
  try {
    done(await request(action, values));
  } catch (problem) {
    page.set({ problem });
    setTimeout(() => document.querySelector(`#${id} [aria-invalid]`)?.focus(), 20);
  }
  page.set({ busy: false });
}

export const submitter = (text, isReady = true) => h("div.row", { key: "submit" }, h("button.primary", { type: "submit", disabled: page.local.busy || !isReady }, text));

/** What stands in the place of a form where the key does not allow it. */
export const refused = () => (page.may("write") ? null : note("The key of this tab may not send."));

async function perform({ action, values }) {
  const answer = await request(action, values);
  say((typeof action.done === "function" ? action.done(answer) : action.done) ?? `${action.text}: done.`);
  page.again();
}

/** A labelled field, with what is wrong with it beside it. */
export function field({ name, label, kind = "text", value, placeholder, options, none = "as it is", hint, rows, required, list: names }, onchange, problem) {
  const wrong = (problem?.errors ?? []).filter((error) => error.pointer?.split("/")[1] === name);
  const props = { name, oninput: onchange, value: value ?? "", placeholder, required, list: names, "aria-invalid": wrong.length ? "true" : null };
  const control = options
    ? h("select", { ...props, oninput: null, onchange }, options.map((each) => h("option", { value: each, selected: each === value }, each || none)))
    : kind === "json" || kind === "lines"
      ? h("textarea", { ...props, rows: rows ?? 8, class: kind === "json" ? "code" : "" })
      : h("input", { ...props, type: kind });
  return h("label", { key: `field ${name}`, class: kind === "checkbox" ? "check" : "" },
    h("span", {}, label),
    control,
    hint ? h("small", {}, hint) : null,
    wrong.map((error) => alert(phrase([error.message, error.hint]))),
  );
}

/** The values of an act for a terminal, JSON on one line; nothing while there is not all that it needs. */
export function whole({ fields = [], check }, values) {
  try {
    check?.(values);
  } catch {
    return null;
  }
  if (!fields.every(({ required, name }) => !required || values[name])) return null;
  return values.payload ? { ...values, payload: write(parse(values.payload)) } : values;
}

/** An act beside its twins, as it stands before anything is asked. */
export function twin(action) {
  const values = whole(action, initial(action.fields));
  return values && isAllowed(action) ? copied(action.text, action.cli(values), { curl: curl(action, values) }) : null;
}

/** An act as a person would type it in a terminal. */
export function twins(action, values, open = false) {
  const given = whole(action, values);
  const lines = given ? [["command line", action.cli?.(given)], ["HTTP", curl(action, given)]] : [];
  return h("details.twins", { key: "twins", open },
    h("summary", {}, "The same in a terminal"),
    lines.length ? lines.map(([title, text]) => (text ? copied(title, text) : null)) : quiet("Fill in the fields first."),
  );
}

/** A line for a terminal, to be copied; beside it what else may be copied, by its name. */
export const copied = (title, text, more = {}) =>
  h("div.twin", { key: title }, h("span", {}, title), h("code", { tabindex: 0, title: text }, text),
    Object.entries({ Copy: text, ...more }).map(([name, line]) => h("button.small", { "aria-label": `${name}: ${title}`, onclick: (event) => copy(line, event.target) }, name)));

/** Also where the page is not served by HTTPS, as the clipboard of the browser then is not there. */
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const hidden = document.createElement("textarea");
    hidden.value = text;
    near.after(hidden);
    hidden.select();
    document.execCommand("copy");
    hidden.remove();
    near.focus();
  }
  say("Copied.");
}
