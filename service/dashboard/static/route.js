// Where a person is, is in the address: "#/queues/mail/jobs?state=failed". So every view can be kept, shared, and gone back to.

const part = encodeURIComponent;

/** The address of a view: at("queues", name, { state: "failed" }). Empty values are left out. */
export function at(...parts) {
  const last = parts.at(-1);
  const query = last && typeof last === "object" ? parts.pop() : {};
  const given = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#/${parts.map(part).join("/")}${text ? `?${text}` : ""}`;
}

/** What an address says: its parts, and what is asked for. */
export function read(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { parts: path.split("/").filter(Boolean).map(decoded), query: Object.fromEntries(new URLSearchParams(query)) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Go there at once, so that nothing is asked any more of the page that is left. */
export const go = (address) => ((location.hash = address), dispatchEvent(new Event("hashchange")));

/** Change what is asked for on this page; without a mark in the history while somebody types. */
export function ask(changes, { quietly = false } = {}) {
  const { parts, query } = read();
  const address = at(...parts, { ...query, ...changes });
  if (!quietly) return go(address);
  history.replaceState(null, "", address);
  dispatchEvent(new Event("hashchange"));
}

let typing = 0;

/** Hears of a field: what is written there is in the address, some milliseconds after the last letter. */
export const later = (name, more = {}, pause = 400) => (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => ask({ [name]: event.target.value.trim(), ...more }, { quietly: true }), pause);
};

/** The first pattern that fits the parts, with what stands in its places: [view, { queue: "mail" }]. */
export function matched(patterns, parts) {
  for (const [pattern, view] of patterns) {
    const wanted = pattern.split("/").filter(Boolean);
    if (wanted.length !== parts.length || wanted.some((word, index) => word[0] !== ":" && word !== parts[index])) continue;
    return [view, Object.fromEntries(wanted.map((word, index) => [word.slice(1), parts[index]]))];
  }
  return [null, {}];
}
