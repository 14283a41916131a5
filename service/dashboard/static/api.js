// The REST API. Addresses are relative to this file, so the dashboard works behind any path prefix.

const BASE = new URL("../api/v1/", import.meta.url);
const KEY = "streamq-key";

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? document.title ?? `the server answered ${status}`);
    this.status = status;
    this.errors = Array.isArray(document.errors) ? document.errors : [];
  }
}

export const keep = (key) => sessionStorage.setItem(KEY, key);

function headers(more) {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

/** A response, whatever its body. Throws Problem for an error, TypeError when nothing answers. */
export async function open(path, options = {}) {
  const response = await fetch(new URL(path, BASE), { ...options, headers: headers(options.headers ?? {}) });
  if (response.ok) return response;
  const document = await response.json().catch(() => ({}));
  if (response.status === 401) dispatchEvent(new Event("key-needed"));
  throw new Problem(response.status, document);
}

export const get = async (path) => (await open(path)).json();

export async function post(path, body) {
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  return (await open(path, { method: "POST", headers: { "Content-Type": "application/json" }, ...content })).json();
}

const name = encodeURIComponent;
export const jobsOf = (queue, state, limit) => get(`queues/${name(queue)}/jobs?state=${name(state)}&limit=${limit}`);
export const job = (queue, id) => get(`queues/${name(queue)}/jobs/${name(id)}`);
export const retry = (queue, id) => post(`queues/${name(queue)}/jobs/${name(id)}/retry`);
export const promote = (queue, id) => post(`queues/${name(queue)}/jobs/${name(id)}/promote`);
export const cancel = (queue, id) => post(`queues/${name(queue)}/jobs/${name(id)}/cancel`, { reason: "on the dashboard" });
export const remove = (queue, id) => open(`queues/${name(queue)}/jobs/${name(id)}`, { method: "DELETE" });
export const channels = () => get("channels");
export const delivery = (queue, id) => get(`queues/${name(queue)}/jobs/${name(id)}/delivery`);
export const sendSms = (body) => post("messages/sms", body);
