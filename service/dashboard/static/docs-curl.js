// An example that can be pasted: a shell sees nothing in it but text.
import { followed } from "./docs-schema.js";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function sample(doc, said, name = "", depth = 0) {
  const schema = followed(doc, said);
  if (schema.examples?.length) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  if ("const" in schema) return schema.const;
  const choice = (schema.anyOf ?? schema.oneOf ?? []).find((one) => one.type !== "null");
  if (choice) return sample(doc, choice, name, depth);
  if (schema.properties && depth < 4) {
    const needed = schema.required ?? [];
    return Object.fromEntries(needed.map((field) => [field, sample(doc, schema.properties[field], field, depth + 1)]));
  }
  const type = [schema.type].flat()[0];
  if (type === "array") return [sample(doc, schema.items, name, depth + 1)];
  return { integer: schema.minimum ?? 1, number: schema.minimum ?? 1, boolean: true, object: {}, string: name || "text" }[type] ?? {};
}

export function curl(doc, route, base) {
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name) => name.toUpperCase());
  const query = route.parameters.filter((one) => one.in === "query" && one.required).map((one) => `${one.name}=${one.name.toUpperCase()}`);
  const address = base.href.replace(/\/$/, "") + path + (query.length ? `?${query.join("&")}` : "");
  const lines = [`curl ${route.method === "get" ? "" : `-X ${route.method.toUpperCase()} `}${quoted(address)}`];
  if (route.security?.some((one) => "key" in one)) lines.push(`-H ${quoted("Authorization: Bearer KEY")}`);
  if (route.method !== "get") lines.push(`-H ${quoted("Content-Type: application/json")}`);
  const body = route.requestBody?.content["application/json"].schema;
  if (body) lines.push(`-d ${quoted(JSON.stringify(sample(doc, body)))}`);
  return lines.join(" \\\n  ");
}
