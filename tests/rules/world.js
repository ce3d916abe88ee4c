// Users, documents and assertions that the tests of the security rules share.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { initializeTestEnvironment } from "@firebase/rules-unit-testing";
import { Timestamp, doc, serverTimestamp, setDoc, setLogLevel } from "firebase/firestore";

setLogLevel("silent"); // every refusal would be logged as an error

export const PROJECT = "demo-lumimd";

let environment;

/** Connect to the emulators, which have loaded the rules, before the tests of a file. */
export function connect() {
  before(async () => {
    environment = await initializeTestEnvironment({
      projectId: PROJECT,
      firestore: address(process.env.FIRESTORE_EMULATOR_HOST),
      storage: address(process.env.FIREBASE_STORAGE_EMULATOR_HOST),
    });
  });
  after(() => environment.cleanup());
}

function address(host) {
  const [name, port] = host.split(":");
  return { host: name, port: Number(port) };
}

const contexts = new Map();

function context(uid, claims) {
  const key = JSON.stringify([uid, claims]);
  if (!contexts.has(key)) {
    contexts.set(
      key,
      uid === null
        ? environment.unauthenticatedContext()
        : environment.authenticatedContext(uid, claims),
    );
  }
  return contexts.get(key);
}

/** Return the Firestore client `db` and the Storage client `bucket` of one user. */
export function as(uid, claims = {}) {
  return {
    get db() {
      return context(uid, claims).firestore();
    },
    get bucket() {
      return context(uid, claims).storage();
    },
  };
}

export const alice = as("alice");
export const bob = as("bob");
export const signedOut = as(null);
export const admin = as("operator", { admin: true });

/** User ids of sign-in providers, without a plus, which the storage emulator reads as a space. */
export const IDS = [
  "auth0|5f7c8ec7c33c", "user@example.com", "a.b", "oidc:t#1?x=y&z=2", "samlp|x|j-t@e.com",
];

let made = 0;

/** Return an id that no other test uses. */
export function newId(prefix = "v") {
  made += 1;
  return `${prefix}-${process.pid}-${made}`;
}

/** Write a document with the rules disabled, as functions write. */
export async function stored(path, fields) {
  await environment.withSecurityRulesDisabled(async (functions) => {
    await setDoc(doc(functions.firestore(), path), fields);
  });
  return path;
}

/** Store a completed visit of `userId`; return its id. */
export async function storedVisit(userId = "alice", fields = {}) {
  const visitId = newId();
  await stored(`visits/${visitId}`, {
    visitId,
    userId,
    kind: "visit",
    title: null,
    archived: false,
    tags: [],
    status: "completed",
    processingStatus: "completed",
    progressPercent: 100,
    attempt: 1,
    summary: "All is well.",
    audio: { bucket: "recordings", storagePath: `visits/${userId}/${visitId}/audio.m4a` },
    createdAt: Timestamp.fromMillis(0),
    updatedAt: Timestamp.fromMillis(0),
    ...fields,
  });
  return visitId;
}

/** Store an action item of `userId`; return its id. */
export async function storedAction(userId = "alice", fields = {}) {
  const actionId = newId("a");
  await stored(`actions/${actionId}`, {
    actionId,
    userId,
    visitId: "v",
    text: "Rest.",
    evidence: ["u1"],
    due: null,
    dueDate: null,
    completed: false,
    createdAt: Timestamp.fromMillis(0),
    ...fields,
  });
  return actionId;
}

/** Return the required fields of a new visit, and `fields`. */
export function newVisit(visitId, fields = {}) {
  return {
    visitId,
    userId: "alice",
    status: "processing",
    processingStatus: "pending",
    createdAt: serverTimestamp(),
    updatedAt: serverTimestamp(),
    ...fields,
  };
}

/** Return `fields` without the field named `field`. */
export function without(fields, field) {
  const { [field]: _, ...rest } = fields;
  return rest;
}

const DENIED = new Set(["permission-denied", "storage/unauthorized", "storage/unauthenticated"]);

/** Assert that the rules refuse `attempt`; any other error fails the test. */
export async function denied(attempt) {
  await assert.rejects(attempt, (error) => {
    assert.ok(DENIED.has(error.code), `expected a refusal, not ${error.code}: ${error.message}`);
    return true;
  });
}

/** Return a JSON Schema of infra/schemas, which the product generates from its models. */
export function schema(name) {
  return JSON.parse(readFileSync(new URL(`../../infra/schemas/${name}.json`, import.meta.url)));
}
