// The rules must refuse each of these attempts to write other users' documents or invalid fields.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  GeoPoint, Timestamp, addDoc, arrayUnion, collection, deleteDoc, deleteField, doc, getDoc,
  increment, serverTimestamp, setDoc, updateDoc, writeBatch,
} from "firebase/firestore";
import {
  admin, alice, as, bob, connect, denied, newId, newVisit, schema, signedOut, stored, storedAction,
  storedVisit, without,
} from "./world.js";

connect();

const otherUsers = { "another user": bob, "a signed-out client": signedOut, "an operator": admin };
const past = Timestamp.fromMillis(1e12);
const future = Timestamp.fromMillis(4e12);
const titles = {
  "a number": 7,
  "a list": ["x"],
  "a map": { en: "x" },
  "a string that is too long": "x".repeat(201),
};
const tags = {
  null: null,
  "a string": "heart",
  "a map": { 0: "heart" },
  "one tag too many": [..."0123456789a"],
  "an empty tag": [""],
  "a tag that is too long": ["x".repeat(51)],
  "a list with a number": [1],
  "a list with a map": [{ a: "b" }],
  "a list with null": [null, "b"],
};
for (let place = 0; place < 10; place += 1) {
  tags[`bad at place ${place}`] = [..."0123456789"].with(place, place);
}

describe("hostile: creating a visit", () => {
  for (const uid of ["a/lice", "a lice", "älice", "__alice__"]) {
    test(`as ${uid}, a user id that cannot upload a recording`, async () => {
      const visitId = newId();
      const visit = newVisit(visitId, { userId: uid });
      await denied(setDoc(doc(as(uid).db, "visits", visitId), visit));
    });
  }

  const forged = {
    "of another user": { userId: "bob" },
    "without a user": { userId: null },
    "of two users": { userId: ["alice", "bob"] },
    "that names another visit": { visitId: "other" },
    "that is completed": { status: "completed" },
    "that is transcribed": { processingStatus: "transcribing" },
    "of an unknown kind": { kind: "surgery" },
    "of no kind": { kind: null },
    "created in the past": { createdAt: past },
    "created in the future": { createdAt: future },
    "created at a string": { createdAt: "2026-01-01" },
    "changed in the past": { updatedAt: past },
    "changed at a number": { updatedAt: 0 },
    "with a boolean consent": { consent: true },
    "with consent without a time": { consent: {} },
    "with consent in the past": { consent: { givenAt: past } },
    "with consent with another field": { consent: { givenAt: serverTimestamp(), by: "alice" } },
    "with a recording of another": {
      audio: { bucket: "recordings", storagePath: "visits/bob/v/audio.m4a", generation: 1 },
    },
  };
  for (const [name, fields] of Object.entries(forged)) {
    test(name, async () => {
      const visitId = newId();
      await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId, fields)));
    });
  }

  for (const [name, title] of Object.entries(titles)) {
    test(`with a title that is ${name}`, async () => {
      const visitId = newId();
      await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId, { title })));
    });
  }

  for (const [name, bad] of Object.entries(tags)) {
    test(`with tags that are ${name}`, async () => {
      const visitId = newId();
      await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId, { tags: bad })));
    });
  }

  for (const field of schema("new-visit").required) {
    test(`without ${field}`, async () => {
      const visitId = newId();
      const visit = without(newVisit(visitId), field);
      await denied(setDoc(doc(alice.db, "visits", visitId), visit));
    });
  }

  const permitted = Object.keys(schema("new-visit").properties);
  for (const field of Object.keys(schema("visit").properties)) {
    if (permitted.includes(field)) continue;
    test(`with ${field}`, async () => {
      const visitId = newId();
      const visit = newVisit(visitId, { [field]: null });
      await denied(setDoc(doc(alice.db, "visits", visitId), visit));
    });
  }

  for (const visitId of ["a visit", "v.1", "визит", "v'--", "v".repeat(129), "v\n"]) {
    test(`with the id ${JSON.stringify(visitId.slice(0, 12))}`, async () => {
      await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId)));
    });
  }

  test("by a signed-out client", async () => {
    const visitId = newId();
    await denied(setDoc(doc(signedOut.db, "visits", visitId), newVisit(visitId)));
  });

  test("with the id of a deleted visit", async () => {
    const visitId = newId();
    await stored(`deletions/${visitId}`, { visitId, userId: "alice" });
    await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId)));
  });

  test("with the id of an existing visit of the same owner", async () => {
    const visitId = await storedVisit();
    await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId)));
  });

  test("with the id of another user's visit", async () => {
    const visitId = await storedVisit("bob");
    await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId)));
  });

  test("together with a history entry", async () => {
    const visitId = newId();
    const batch = writeBatch(alice.db);
    batch.set(doc(alice.db, "visits", visitId), newVisit(visitId));
    batch.set(doc(alice.db, "visits", visitId, "history", "000000"), { event: "forged" });
    await denied(batch.commit());
    await denied(getDoc(doc(alice.db, "visits", visitId)));
  });
});

describe("hostile: changing a visit", () => {
  const writable = Object.keys(schema("visit-change").properties);
  const protectedFields = Object.keys(schema("visit").properties).filter(
    (field) => !writable.includes(field),
  );
  for (const field of [...protectedFields, "tier", "isAdmin", "__proto"]) {
    test(`its ${field}`, async () => {
      const visitId = await storedVisit();
      await denied(updateDoc(doc(alice.db, "visits", visitId), { [field]: "forged" }));
    });
  }

  const changes = {
    "its owner": { userId: "bob" },
    "its recording, by a dotted path": { "audio.storagePath": "visits/bob/v/audio.m4a" },
    "its attempt, by an increment": { attempt: increment(1) },
    "its summary, by removing it": { summary: deleteField() },
    "its tags, by removing them": { tags: deleteField() },
    "its title and its status": { title: "x", status: "completed " },
    "its archived flag, to a string": { archived: "true" },
    "its archived flag, to null": { archived: null },
    "its archived flag, to a number": { archived: 1 },
    "its time of change, to the past": { updatedAt: past },
    "its time of change, to a string": { updatedAt: "now" },
    "its title, to a geographical point": { title: new GeoPoint(0, 0) },
    "its tags, by adding one beyond the limit": { tags: arrayUnion("x") },
  };
  for (const [name, change] of Object.entries(changes)) {
    test(name, async () => {
      const visitId = await storedVisit("alice", { tags: [..."0123456789"] });
      await denied(updateDoc(doc(alice.db, "visits", visitId), change));
    });
  }

  for (const [name, title] of Object.entries(titles)) {
    test(`its title to ${name}`, async () => {
      const visitId = await storedVisit();
      await denied(updateDoc(doc(alice.db, "visits", visitId), { title }));
    });
  }

  for (const [name, bad] of Object.entries(tags)) {
    test(`its tags to ${name}`, async () => {
      const visitId = await storedVisit();
      await denied(updateDoc(doc(alice.db, "visits", visitId), { tags: bad }));
    });
  }

  for (const [name, writer] of Object.entries(otherUsers)) {
    test(`its title, by ${name}`, async () => {
      const visitId = await storedVisit();
      await denied(updateDoc(doc(writer.db, "visits", visitId), { title: "mine" }));
    });
    test(`by deleting it, by ${name}`, async () => {
      const visitId = await storedVisit();
      await denied(deleteDoc(doc(writer.db, "visits", visitId)));
    });
  }

  test("by deleting it, by its owner", async () => {
    const visitId = await storedVisit();
    await denied(deleteDoc(doc(alice.db, "visits", visitId)));
  });

  test("by replacing all its fields with only a title", async () => {
    const visitId = await storedVisit();
    await denied(setDoc(doc(alice.db, "visits", visitId), { title: "x" }));
  });

  test("that does not exist", async () => {
    await denied(updateDoc(doc(alice.db, "visits", newId()), { title: "x" }));
  });

  test("of another user in a batch with an own visit", async () => {
    const [mine, theirs] = [await storedVisit(), await storedVisit("bob")];
    const batch = writeBatch(alice.db);
    batch.update(doc(alice.db, "visits", mine), { title: "x" });
    batch.update(doc(alice.db, "visits", theirs), { title: "x" });
    await denied(batch.commit());
    assert.equal((await getDoc(doc(alice.db, "visits", mine))).get("title"), null);
  });
});

describe("hostile: changing an action item", () => {
  const changes = {
    "its owner": { userId: "bob" },
    "its visit": { visitId: "other" },
    "its evidence": { evidence: [] },
    "its due date in words": { due: "never" },
    "its time of creation": { createdAt: serverTimestamp() },
    "an unknown field": { note: "x" },
    "its text to an empty string": { text: "" },
    "its text to null": { text: null },
    "its text to a number": { text: 1 },
    "its text to a list": { text: ["x"] },
    "its text to a map": { text: { en: "x" } },
    "its text to a string that is too long": { text: "x".repeat(2001) },
    "its text, by removing it": { text: deleteField() },
    "its due date to a string": { dueDate: "2026-01-01" },
    "its due date to a number": { dueDate: 1 },
    "its completed flag to a string": { completed: "yes" },
    "its completed flag to null": { completed: null },
  };
  for (const [name, change] of Object.entries(changes)) {
    test(name, async () => {
      const actionId = await storedAction();
      await denied(updateDoc(doc(alice.db, "actions", actionId), change));
    });
  }

  for (const [name, writer] of Object.entries(otherUsers)) {
    test(`its completed flag, by ${name}`, async () => {
      const actionId = await storedAction();
      await denied(updateDoc(doc(writer.db, "actions", actionId), { completed: true }));
    });
  }

  test("by deleting it", async () => {
    const actionId = await storedAction();
    await denied(deleteDoc(doc(alice.db, "actions", actionId)));
  });

  test("by creating a new action item", async () => {
    const action = { userId: "alice", text: "x", completed: false };
    await denied(addDoc(collection(alice.db, "actions"), action));
  });
});

describe("hostile: writing documents that only functions write", () => {
  const writers = { "an owner": alice, "an operator": admin };
  for (const [name, writer] of Object.entries(writers)) {
    const paths = ["users/alice", "users/operator", "deletions/v1", "deadLetters/v1", "ops/budget",
      "ops/audit/entries/e1", "config/settings"];
    for (const path of paths) {
      test(`${path}, by ${name}`, async () => {
        const fields = { userId: "alice", tier: "paid" };
        await denied(setDoc(doc(writer.db, path), fields));
        await stored(path, { userId: "alice", tier: "free" });
        await denied(updateDoc(doc(writer.db, path), { tier: "paid" }));
        await denied(deleteDoc(doc(writer.db, path)));
      });
    }
  }

  for (const part of ["transcript", "history"]) {
    test(`a visit's ${part}`, async () => {
      const visitId = await storedVisit();
      const place = doc(alice.db, "visits", visitId, part, "000000");
      await denied(setDoc(place, { page: 0, utterances: [] }));
      await stored(place.path, { page: 0, utterances: [] });
      await denied(updateDoc(place, { page: 1 }));
      await denied(deleteDoc(place));
    });
  }
});
