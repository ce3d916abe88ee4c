// Attempts to write what is not the writer's, or not so. Each must be refused.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  GeoPoint, Timestamp, addDoc, arrayUnion, collection, deleteDoc, deleteField, doc, getDoc,
  increment, serverTimestamp, setDoc, updateDoc, writeBatch,
} from "firebase/firestore";
import {
  admin, alice, as, bob, connect, denied, newId, newVisit, nobody, schema, stored, storedAction,
  storedVisit, without,
} from "./world.js";

connect();

const past = Timestamp.fromMillis(1e12);
const future = Timestamp.fromMillis(4e12);
const titles = {
  "a number": 7,
  "a list": ["x"],
  "a map": { en: "x" },
  "a word too long": "x".repeat(201),
};
const tags = {
  nothing: null,
  "a word": "heart",
  "a map": { 0: "heart" },
  "one too many": [..."0123456789a"],
  "an empty one": [""],
  "one too long": ["x".repeat(51)],
  "a number": [1],
  "a map in it": [{ a: "b" }],
  "nothing in it": [null, "b"],
};
for (let place = 0; place < 10; place += 1) {
  tags[`bad at place ${place}`] = [..."0123456789"].with(place, place);
}

describe("hostile: creating a visit", () => {
  for (const uid of ["a/lice", "a lice", "älice", "__alice__"]) {
    test(`as ${uid}, who could not upload its recording`, async () => {
      const visitId = newId();
      const visit = newVisit(visitId, { userId: uid });
      await denied(setDoc(doc(as(uid).db, "visits", visitId), visit));
    });
  }

  const forged = {
    "of another user": { userId: "bob" },
    "of nobody": { userId: null },
    "of two users": { userId: ["alice", "bob"] },
    "that names another": { visitId: "other" },
    "that is completed": { status: "completed" },
    "that is transcribed": { processingStatus: "transcribing" },
    "of an unknown kind": { kind: "surgery" },
    "of no kind": { kind: null },
    "of yesterday": { createdAt: past },
    "of tomorrow": { createdAt: future },
    "of a day in words": { createdAt: "2026-01-01" },
    "changed in the past": { updatedAt: past },
    "changed by a number": { updatedAt: 0 },
    "with consent in a word": { consent: true },
    "with consent of nobody knows when": { consent: {} },
    "with consent of the past": { consent: { givenAt: past } },
    "with consent and more": { consent: { givenAt: serverTimestamp(), by: "alice" } },
    "with a recording of another": {
      audio: { bucket: "recordings", storagePath: "visits/bob/v/audio.m4a", generation: 1 },
    },
  };
  for (const [what, fields] of Object.entries(forged)) {
    test(what, async () => {
      const visitId = newId();
      await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId, fields)));
    });
  }

  for (const [what, title] of Object.entries(titles)) {
    test(`whose title is ${what}`, async () => {
      const visitId = newId();
      await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId, { title })));
    });
  }

  for (const [what, bad] of Object.entries(tags)) {
    test(`whose tags are ${what}`, async () => {
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
    test(`by the id ${JSON.stringify(visitId.slice(0, 12))}`, async () => {
      await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId)));
    });
  }

  test("by nobody", async () => {
    const visitId = newId();
    await denied(setDoc(doc(nobody.db, "visits", visitId), newVisit(visitId)));
  });

  test("in the place of one that was deleted", async () => {
    const visitId = newId();
    await stored(`deletions/${visitId}`, { visitId, userId: "alice" });
    await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId)));
  });

  test("in the place of one's own that is there", async () => {
    const visitId = await storedVisit();
    await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId)));
  });

  test("in the place of another's that is there", async () => {
    const visitId = await storedVisit("bob");
    await denied(setDoc(doc(alice.db, "visits", visitId), newVisit(visitId)));
  });

  test("together with a line of history", async () => {
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
    "its attempts, by counting": { attempt: increment(1) },
    "its summary, by removing it": { summary: deleteField() },
    "its tags, by removing them": { tags: deleteField() },
    "its title and its status": { title: "x", status: "completed " },
    "its archive, by a word": { archived: "true" },
    "its archive, by nothing": { archived: null },
    "its archive, by a number": { archived: 1 },
    "when it was changed, to the past": { updatedAt: past },
    "when it was changed, to a word": { updatedAt: "now" },
    "its title, to a place": { title: new GeoPoint(0, 0) },
    "its tags, one by one, past the limit": { tags: arrayUnion("x") },
  };
  for (const [what, change] of Object.entries(changes)) {
    test(what, async () => {
      const visitId = await storedVisit("alice", { tags: [..."0123456789"] });
      await denied(updateDoc(doc(alice.db, "visits", visitId), change));
    });
  }

  for (const [what, title] of Object.entries(titles)) {
    test(`its title to ${what}`, async () => {
      const visitId = await storedVisit();
      await denied(updateDoc(doc(alice.db, "visits", visitId), { title }));
    });
  }

  for (const [what, bad] of Object.entries(tags)) {
    test(`its tags to ${what}`, async () => {
      const visitId = await storedVisit();
      await denied(updateDoc(doc(alice.db, "visits", visitId), { tags: bad }));
    });
  }

  for (const [name, writer] of Object.entries({ "another user": bob, nobody, "an operator": admin })) {
    test(`its title, by ${name}`, async () => {
      const visitId = await storedVisit();
      await denied(updateDoc(doc(writer.db, "visits", visitId), { title: "mine" }));
    });
    test(`that it is there, by ${name}`, async () => {
      const visitId = await storedVisit();
      await denied(deleteDoc(doc(writer.db, "visits", visitId)));
    });
  }

  test("that it is there, by its owner", async () => {
    const visitId = await storedVisit();
    await denied(deleteDoc(doc(alice.db, "visits", visitId)));
  });

  test("all of it, by writing only its title", async () => {
    const visitId = await storedVisit();
    await denied(setDoc(doc(alice.db, "visits", visitId), { title: "x" }));
  });

  test("one that is not there", async () => {
    await denied(updateDoc(doc(alice.db, "visits", newId()), { title: "x" }));
  });

  test("one's own and another's together", async () => {
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
    "its words for the day": { due: "never" },
    "when it was made": { createdAt: serverTimestamp() },
    "a field of their own": { note: "x" },
    "its text to nothing": { text: "" },
    "its text to null": { text: null },
    "its text to a number": { text: 1 },
    "its text to a list": { text: ["x"] },
    "its text to a map": { text: { en: "x" } },
    "its text to a word too long": { text: "x".repeat(2001) },
    "its text, by removing it": { text: deleteField() },
    "its day to a word": { dueDate: "2026-01-01" },
    "its day to a number": { dueDate: 1 },
    "that it is done, by a word": { completed: "yes" },
    "that it is done, by nothing": { completed: null },
  };
  for (const [what, change] of Object.entries(changes)) {
    test(what, async () => {
      const actionId = await storedAction();
      await denied(updateDoc(doc(alice.db, "actions", actionId), change));
    });
  }

  for (const [name, writer] of Object.entries({ "another user": bob, nobody, "an operator": admin })) {
    test(`that it is done, by ${name}`, async () => {
      const actionId = await storedAction();
      await denied(updateDoc(doc(writer.db, "actions", actionId), { completed: true }));
    });
  }

  test("that it is there", async () => {
    const actionId = await storedAction();
    await denied(deleteDoc(doc(alice.db, "actions", actionId)));
  });

  test("by making one", async () => {
    const action = { userId: "alice", text: "x", completed: false };
    await denied(addDoc(collection(alice.db, "actions"), action));
  });
});

describe("hostile: writing what functions alone write", () => {
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
