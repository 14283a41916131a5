// What a person may do: each act is told once, as a request and as its twins for a terminal, and is done in one dialog.
//   text          the word on the button
//   scope         what the key must allow: admin, where it says nothing
//   method, path  of the request, a POST where it says nothing, the path also as path(values); body(values, found) its body as JSON text, headers(values)
//   check(values) throws for what cannot be sent
//   cli(values)   the same on the command line
//   title, note   what the dialog says before; a note may depend on the values
//   prepare(values)  finds out, while the dialog is open, what must be known before it is done: values.found
//   fields        what is asked: { name, label, kind, value, options, required, hint }
//   must          a text to be typed before, for what cannot be undone
//   isDangerous   what cannot be undone
//   done(answer)  what follows; may give back a text, or a tree

import * as api from "./api.js";
import { typed, write } from "./exact.js";
import { list } from "./format.js";
import { page } from "./page.js";
import { alert, quiet, wrong } from "./parts.js";
import { h } from "./render.js";
import { close, present } from "./dialog.js";
import { say } from "./toast.js";

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${String(text).replaceAll("'", `'\\''`)}'`);

/** What a person has written; what is empty is left out. */
export const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== false));

const optional = (values) => Object.entries(given(values)).flatMap(([name, value]) => [`--${name.replaceAll("_", "-")}`, ...(value === true ? [] : [value])]);

/** A command line, quoted for a shell: words, and objects of options. */
export const command = (...words) => ["streamq", ...words.flatMap((word) => (typeof word === "object" ? optional(word ?? {}) : [word]))].map(quoted).join(" ");

const placeOf = ({ path }, values) => (typeof path === "function" ? path(values) : path);

/** The request of an act for a terminal. */
export function curl(action, values) {
  const body = action.body?.(values);
  const headers = Object.entries({ "Content-Type": "application/json", ...action.headers?.(values) });
  const key = api.hasKey() ? ["-H", '"Authorization: Bearer $STREAMQ_KEY"'] : [];
  const words = ["curl", "-X", action.method ?? "POST", ...headers.flatMap(([name, value]) => ["-H", quoted(`${name}: ${value}`)]), ...key];
  if (body !== undefined) words.push("-d", quoted(body));
  return [...words, quoted(api.address(placeOf(action, values)))].join(" ");
}

/** To let something rest, and to let it go on: at a path, and by the words of the command line. */
export const resting = (text, path, title, words, more) => ({
  text, path: `${path}/${text.toLowerCase()}`, title: `${text} ${title}`,
  fields: text === "Pause" ? [{ name: "reason", label: "Reason" }] : [],
  body: (values) => (text === "Pause" ? write(given(values)) : undefined),
  cli: (values) => command(words[0], text.toLowerCase(), ...words.slice(1), given(values)),
  done: () => (text === "Pause" ? `${title} is paused.` : `${title} goes on.`),
  ...more,
});

/** A button for an act; nothing where the key does not allow it. */
export function button(action, props = {}) {
  if (!action || !page.may(action.scope ?? "admin")) return null;
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
  if (action.prepare) prepared(state, again);
}

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
    h("h2", { id: "dialog-title" }, action.title ?? action.text),
    action.note ? h("p.quiet", {}, typeof action.note === "function" ? action.note(values) : action.note) : null,
    (action.fields ?? []).map((each) => field(each, change(each.name), state.error)),
    action.must === undefined ? null : field({ name: "must", label: `Type ${action.must} to go on` }, change("must")),
    state.error ? alert(wrong({ message: state.error.message, errors: list(state.error.errors).filter(({ pointer }) => !(action.fields ?? []).some(({ name }) => pointer === `/${name}`)) })) : null,
    twins(action, values),
    h("div.row.end", {},
      h("button", { onclick: close }, "Not now"),
      h("button", { type: "submit", class: action.isDangerous ? "primary danger" : "primary", disabled: !typed || state.busy }, action.sure ?? action.text),
    ),
  );
}

async function submit(state, again) {
  Object.assign(state, { busy: true, error: null });
  again();
  try {
    await act(state);
    close();
  } catch (error) {
    Object.assign(state, { busy: false, error });
    if (state.action.prepare) prepared(state, again);
    else again();
  }
}

async function act({ action, values }) {
  action.check?.(values);
  const answer = await api.send(action.method ?? "POST", placeOf(action, values), action.body?.(values, values.found), action.headers?.(values));
  say(action.done?.(answer) ?? `${action.text}: done.`);
  page.again();
}

/** A labelled field, with what is wrong with it beside it. */
export function field({ name, label, kind = "text", value, placeholder, options, none = "as it is", hint, rows, required }, onchange, problem) {
  const wrong = (problem?.errors ?? []).filter((error) => error.pointer?.split("/")[1] === name);
  const props = { name, oninput: onchange, value: value ?? "", placeholder, required, "aria-invalid": wrong.length ? "true" : null };
  const control = options
    ? h("select", { ...props, oninput: null, onchange }, options.map((each) => h("option", { value: each, selected: each === value }, each || none)))
    : kind === "json" || kind === "lines"
      ? h("textarea", { ...props, rows: rows ?? 8, class: kind === "json" ? "code" : "" })
      : h("input", { ...props, type: kind });
  return h("label", { key: `field ${name}`, class: kind === "checkbox" ? "check" : "" },
    h("span", {}, label),
    control,
    hint ? h("small", {}, hint) : null,
    wrong.map((error) => alert([error.message, error.hint].filter(Boolean).join("; "))),
  );
}

/** Whether all is there that an act needs: only then it can be done in a terminal. */
export function isWhole({ fields = [], check }, values) {
  try {
    check?.(values);
  } catch {
    return false;
  }
  return fields.every(({ required, name }) => !required || values[name]);
}

/** An act as a person would type it in a terminal. */
export function twins(action, values, open = false) {
  const lines = isWhole(action, values) ? [["command line", action.cli?.(values)], ["HTTP", curl(action, values)]] : [];
  return h("details.twins", { key: "twins", open },
    h("summary", {}, "The same in a terminal"),
    lines.length ? lines.map(([title, text]) => (text ? copied(title, text) : null)) : quiet("Fill in the fields first."),
  );
}

function copied(title, text) {
  return h("div.twin", {}, h("span", {}, title), h("code", { tabindex: 0 }, text), h("button", { "aria-label": `Copy: ${title}`, onclick: (event) => copy(text, event.target) }, "Copy"));
}

/** Also where the page is not served by HTTPS, as the clipboard of the browser then is not there. */
export async function copy(text, near) {
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
