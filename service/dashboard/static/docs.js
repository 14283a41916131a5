// The page of the API: made of openapi.json alone, and of its text as text.
import { curl } from "./docs-curl.js";
import { el, rich } from "./docs-dom.js";
import { fields, kindOf } from "./docs-schema.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const by = (id) => document.getElementById(id);

const resolve = (doc, said) =>
  said.$ref ? said.$ref.split("/").slice(1).reduce((at, name) => at[name.replaceAll("~1", "/").replaceAll("~0", "~")], doc) : said;

function* operations(doc) {
  for (const [path, methods] of Object.entries(doc.paths))
    for (const method of METHODS) if (methods[method]) yield { path, method, ...methods[method] };
}

const section = (title, ...content) => (content.flat().length ? [el("h4", {}, title), ...content.flat()] : []);

function parameter(doc, said) {
  return el("li", {},
    el("b", {}, el("code", {}, said.name)), " ", el("span", { class: "kind" }, `${said.in}, ${kindOf(doc, said.schema)}`),
    said.required ? el("span", { class: "needed" }, " required") : "",
    said.description ? el("div", { class: "quiet" }, ...rich(said.description)) : "");
}

function answer(doc, status, told) {
  const said = resolve(doc, told);
  const media = Object.entries(said.content ?? {});
  const headers = Object.keys(said.headers ?? {}).filter((name) => name !== "X-Request-Id");
  const lines = said.description.split("\n").map((line) => el("div", { class: "quiet" }, ...rich(line.replace(/^- /, ""))));
  return el("details", {},
    el("summary", {}, el("b", {}, status), " ", el("span", { class: "kind" }, media.map(([name]) => name).join(", "))),
    ...lines,
    headers.length ? el("div", { class: "kind" }, `headers: ${headers.join(", ")}`) : "",
    ...(status < "400" ? media.flatMap(([, one]) => fields(doc, one.schema)) : []));
}

function example(doc, route) {
  const text = curl(doc, route, new URL("..", document.baseURI));
  const code = el("pre", { tabindex: "0" }, text);
  const button = el("button", { type: "button" }, "Copy");
  const said = el("span", { role: "status", class: "quiet" });
  button.addEventListener("click", async () => {
    said.textContent = (await copied(code)) ? "Copied" : "Press Ctrl-C";
  });
  return el("div", { class: "example" }, code, el("span", {}, button, " ", said));
}

async function copied(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch { // without HTTPS there is no clipboard: select it, so that a key copies it
    getSelection().selectAllChildren(code);
    return false;
  }
}

function inside(doc, route) {
  const body = route.requestBody?.content["application/json"].schema;
  const [good, bad] = [[], []];
  for (const [status, told] of Object.entries(route.responses)) (status < "400" ? good : bad).push(answer(doc, status, told));
  return el("div", { class: "inside" },
    el("p", { class: "quiet" }, ...rich(route.description)),
    ...section("Parameters", route.parameters.length ? [el("ul", { class: "fields" }, ...route.parameters.map((one) => parameter(doc, one)))] : []),
    ...section("Body", body ? [el("p", { class: "quiet" }, ...rich(route.requestBody.description)), ...fields(doc, body)] : []),
    ...section("Answers", good), ...section("Problems", bad),
    ...section("Example", [example(doc, route)]));
}

function shownRoute(doc, route) {
  const shown = el("details", { class: "route", id: route.operationId },
    el("summary", {},
      el("span", { class: "method", "data-method": route.method }, route.method.toUpperCase()),
      el("span", { class: "path" }, route.path),
      el("span", { class: "does" }, ...rich(route.summary))));
  shown.addEventListener("toggle", () => { // what nobody opens is never made
    if (shown.open && !shown.querySelector(".inside")) shown.append(inside(doc, route));
  });
  const words = [route.path, route.method, route.summary, route.operationId, route.tags[0]].join(" ").toLowerCase();
  return { shown, words, tag: route.tags[0] };
}

function search(groups, text) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { group, routes } of groups) {
    for (const route of routes) {
      route.shown.hidden = !wanted.every((word) => route.words.includes(word));
      count += route.shown.hidden ? 0 : 1;
    }
    group.hidden = routes.every((route) => route.shown.hidden);
  }
  by("found").textContent = count === 1 ? "1 route" : `${count} routes`;
}

function toHash() {
  const shown = by(decodeURIComponent(location.hash.slice(1)));
  if (!shown?.classList.contains("route")) return;
  shown.open = true;
  shown.scrollIntoView();
}

function show(doc) {
  const all = [...operations(doc)].map((route) => shownRoute(doc, route));
  const groups = doc.tags.map((tag) => {
    const routes = all.filter((route) => route.tag === tag.name);
    const title = el("h2", { id: `tag-${tag.name}` }, tag.name);
    const group = el("section", { "aria-labelledby": title.id }, title, el("p", { class: "quiet" }, tag.description),
      ...routes.map((route) => route.shown));
    return { group, routes, name: tag.name };
  }).filter(({ routes }) => routes.length);
  by("version").textContent = `version ${doc.info.version}, OpenAPI ${doc.openapi}`;
  by("about").textContent = doc.info.description;
  by("routes").replaceChildren(...groups.map(({ group }) => group));
  by("tags").replaceChildren(...groups.map(({ name }) => el("a", { href: `#tag-${name}` }, name)));
  by("search").addEventListener("input", (event) => search(groups, event.target.value));
  search(groups, by("search").value);
  toHash();
}

function keys(event) {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && event.target.tagName !== "INPUT") {
    event.preventDefault();
    by("search").focus();
  }
}

addEventListener("keydown", keys);
addEventListener("hashchange", toHash);
try {
  const response = await fetch("v1/openapi.json");
  if (!response.ok) throw new Error((await response.json()).detail);
  show(await response.json());
} catch (error) {
  by("routes").replaceChildren(el("p", { class: "error", role: "alert" }, `The document cannot be read: ${error.message}`));
}
