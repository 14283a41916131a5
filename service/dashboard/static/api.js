// The REST API. Addresses are relative to this file, so the dashboard works behind any path prefix.

import { parse } from "./exact.js";

const BASE = new URL("../api/v1/", import.meta.url);
const KEY = "streamq-key";

class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? document.title ?? `the server answered ${status}`);
    this.status = status;
    this.code = document.code ?? "";
    this.told = document;
    this.errors = Array.isArray(document.errors) ? document.errors : [];
  }
}

let isAway = false;

/** Says that nothing answers; what is there again is told as an event. */
async function reach(path, options) {
  try {
    const response = await fetch(address(path), options);
    if (isAway) dispatchEvent(new Event("server-back"));
    isAway = false;
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    isAway = true;
    throw Object.assign(new Error("The server does not answer. See whether it runs, then try again."), { isAway });
  }
}

export const address = (path) => new URL(path, BASE).href;
export const hasKey = () => sessionStorage.getItem(KEY) !== null;

/** Keep a key for this tab, once the server knows it. Throws Problem for one that it does not know. */
export async function enter(key) {
  const response = await reach("me", { headers: { Authorization: `Bearer ${key}` } });
  if (!response.ok) throw new Problem(response.status, dictionary(await response.text()));
  sessionStorage.setItem(KEY, key);
  dispatchEvent(new Event("key-changed"));
}

function headers(more) {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

function dictionary(text) {
  try {
    return Object(parse(text));
  } catch {
    return {};
  }
}

/** A response, whatever its body. Throws Problem for an error. */
export async function open(path, options = {}) {
  const response = await reach(path, { ...options, headers: headers(options.headers ?? {}) });
  if (response.ok) return response;
  if (response.status === 401) dispatchEvent(new Event("key-needed"));
  throw new Problem(response.status, dictionary(await response.text()));
}

export const get = async (path, signal) => parse(await (await open(path, { signal })).text());

/** Change something. The body is JSON as text already, so that its numbers stay as they are. */
export async function send(method, path, body, more = {}) {
  const content = body === undefined ? {} : { body };
  const response = await open(path, { method, headers: { "Content-Type": "application/json", ...more }, ...content });
  return parse(await response.text());
}

/** A name as a part of a path. "." and ".." would lead elsewhere, also as %2E: with a blank they are names that nothing has. */
const name = (text) => encodeURIComponent(text).replace(/^\.\.?$/, "%20$&");
export const asked = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
export const queueAt = (queue) => `queues/${name(queue)}`;
export const jobAt = (queue, id) => `${queueAt(queue)}/jobs/${name(id)}`;
export const groupAt = (queue, group) => `${queueAt(queue)}/groups/${name(group)}`;
export const workerAt = (worker) => `workers/${name(worker)}`;
export const scheduleAt = (schedule) => `schedules/${name(schedule)}`;
