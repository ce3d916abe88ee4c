// Prints the TypeScript types of all documents, in one file: types that documents share are
// declared once.

import { readFileSync, readdirSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const BANNER = `// Made by scripts/schemas out of the models of the pipeline. Not to be edited.
//
// Fields that are optional here are absent from a document that was written before they existed,
// and from a visit whose recording has not arrived yet. Fields by which the pipeline steers itself
// are left out: they are marked x-internal in infra/schemas.

import type { FieldValue, Timestamp } from "firebase/firestore";
`;

const definitions = {};
const documents = {}; // the documents that clients read, by path
const kept = new Set(); // the definitions for clients

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".json"));
for (const file of files.sort()) {
  const schema = JSON.parse(readFileSync(`${import.meta.dirname}/${file}`));
  const { $defs = {}, $schema, "x-path": path, "x-written": written, ...document } = schema;
  for (const [name, definition] of Object.entries({ ...$defs, [document.title]: document })) {
    const typed = forFirestore(definition);
    if (name in definitions && JSON.stringify(definitions[name]) !== JSON.stringify(typed)) {
      throw new Error(`two different types are called ${name}`);
    }
    definitions[name] = typed;
  }
  if (!written) documents[path] = { $ref: `#/$defs/${document.title}` };
  keep(document.title);
}

/** Keep a definition and its references: types that only internal fields have are omitted. */
function keep(name) {
  if (kept.has(name)) return;
  kept.add(name);
  const references = JSON.stringify(definitions[name]).matchAll(/"#\/\$defs\/(\w+)"/g);
  for (const [, other] of references) keep(other);
}

/** The schema with Firestore's own type for instants, and without internal fields. */
function forFirestore(schema) {
  if (Array.isArray(schema)) return schema.map(forFirestore);
  if (schema === null || typeof schema !== "object") return schema;
  if (schema["x-server-time"]) return { description: schema.description, tsType: "FieldValue" };
  if (schema.format === "date-time") return { description: schema.description, tsType: "Timestamp" };
  // With maxItems the generator would write tuples of every length.
  const { default: _, maxItems: __, ...rest } = schema;
  return Object.fromEntries(
    Object.entries(rest)
      .filter(([, value]) => !(value && value["x-internal"]))
      .map(([key, value]) => [key, forFirestore(value)]),
  );
}

const root = {
  title: "Documents",
  description: "What is read, by path.",
  type: "object",
  properties: documents,
  required: Object.keys(documents),
  $defs: Object.fromEntries([...kept].map((name) => [name, definitions[name]])),
};
const types = await compile(root, "Documents", {
  additionalProperties: false,
  bannerComment: BANNER,
  unreachableDefinitions: true,
  style: { printWidth: 100, trailingComma: "all", bracketSpacing: true },
});
// The generator's notes about references are of no use to a reader.
process.stdout.write(types.replace(/ \*\n \* This interface was referenced by [^/]*?"\.\n/g, ""));
