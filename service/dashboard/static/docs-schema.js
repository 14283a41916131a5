// A JSON Schema as a list of fields, and a type in a few words.
import { el, rich } from "./docs-dom.js";

const DEEPEST = 6;

export const followed = (doc, schema) =>
  schema?.$ref ? doc.components.schemas[schema.$ref.split("/").at(-1)] : schema ?? {};

const choices = (schema) => schema.anyOf ?? schema.oneOf ?? [];

export function kindOf(doc, said) {
  const schema = followed(doc, said);
  if (schema.enum) return `one of ${schema.enum.join(", ")}`;
  if ("const" in schema) return `${JSON.stringify(schema.const)}`;
  if (choices(schema).length) return [...new Set(choices(schema).map((one) => kindOf(doc, one)))].join(" or ");
  if (schema.type === "array") return `array of ${kindOf(doc, schema.items)}`;
  const types = [schema.type ?? "any value"].flat().join(" or ");
  return [types, schema.format, bounds(schema)].filter(Boolean).join(", ");
}

function bounds(schema) {
  const low = schema.minimum ?? schema.minLength ?? schema.minItems;
  const high = schema.maximum ?? schema.maxLength ?? schema.maxItems;
  const unit = "minLength" in schema || "maxLength" in schema ? " characters" : "";
  if (low !== undefined && high !== undefined) return `${low} to ${high}${unit}`;
  if (high !== undefined) return `at most ${high}${unit}`;
  return low !== undefined ? `at least ${low}${unit}` : "";
}

/** The schema below it that has fields: its own, that of its items, or of one of its choices. */
function inner(doc, said) {
  const schema = followed(doc, said);
  if (schema.properties) return schema;
  const below = schema.items ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : null);
  if (below) return inner(doc, below);
  return choices(schema).map((one) => inner(doc, one)).find(Boolean);
}

export function fields(doc, said, depth = 0) {
  const schema = followed(doc, said);
  const about = schema.description ? [el("p", { class: "quiet" }, ...rich(schema.description))] : [];
  const own = inner(doc, said);
  if (!own || depth > DEEPEST) return [...about, el("p", { class: "kind" }, kindOf(doc, said))];
  const rows = Object.entries(own.properties).map(([name, field]) => row(doc, name, field, (own.required ?? []).includes(name), depth));
  const array = own === schema ? [] : [el("p", { class: "kind" }, kindOf(doc, said))];
  return [...about, ...array, el("ul", { class: "fields" }, ...rows)];
}

function row(doc, name, field, needed, depth) {
  const nested = inner(doc, field);
  const more = nested ? el("details", {}, el("summary", { class: "kind" }, "its fields")) : "";
  if (nested) more.addEventListener("toggle", () => more.children.length > 1 || more.append(...fields(doc, field, depth + 1)));
  const text = field.$ref ? "" : field.description;
  return el("li", {}, el("b", {}, el("code", {}, name)), " ", el("span", { class: "kind" }, kindOf(doc, field)),
    needed ? el("span", { class: "needed" }, " required") : "", text ? el("div", { class: "quiet" }, ...rich(text)) : "", more);
}
