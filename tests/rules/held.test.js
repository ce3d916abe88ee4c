// Legal hold: the owner of a visit under a legal hold can read the visit and change no part of it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Timestamp, deleteDoc, doc, getDoc, setDoc, updateDoc, writeBatch } from "firebase/firestore";
import { deleteObject, ref, updateMetadata, uploadBytes } from "firebase/storage";
import { admin, alice, connect, denied, newId, newVisit, stored, storedAction, storedVisit } from "./world.js";

connect();

// A visit under a legal hold has the field `legalHold` and a mark in the collection `holds`.
// If it was restored from a backup older than the hold, it lacks the field. If an earlier release
// set the hold, it lacks the mark.
const holds = {
  "by mark and field": { field: true, mark: true },
  "by its mark alone": { field: false, mark: true },
  "by its field alone": { field: true, mark: false },
};

async function heldVisit({ field, mark }) {
  const visitId = await storedVisit("alice", { legalHold: field });
  if (mark) await stored(`holds/${visitId}`, { visitId, userId: "alice", heldAt: Timestamp.now() });
  return visitId;
}

const ofVisit = {
  "its title": { title: "rewritten" },
  "its title to nothing": { title: null },
  "its tags": { tags: [] },
  "its archived flag": { archived: true },
};
const ofAction = {
  "the text": { text: "rewritten" },
  "the day": { dueDate: null },
  "the completed flag": { completed: true },
};

for (const [how, held] of Object.entries(holds)) {
  describe(`a visit under a legal hold ${how}`, () => {
    test("can be read with its action items", async () => {
      const visitId = await heldVisit(held);
      const actionId = await storedAction("alice", { visitId });
      assert.ok((await getDoc(doc(alice.db, "visits", visitId))).exists());
      assert.ok((await getDoc(doc(alice.db, "actions", actionId))).exists());
    });

    for (const [name, change] of Object.entries(ofVisit)) {
      test(`keeps ${name}`, async () => {
        await denied(updateDoc(doc(alice.db, "visits", await heldVisit(held)), change));
      });
    }

    for (const [name, change] of Object.entries(ofAction)) {
      test(`keeps ${name} of an action item`, async () => {
        const visitId = await heldVisit(held);
        const actionId = await storedAction("alice", { visitId });
        await denied(updateDoc(doc(alice.db, "actions", actionId), change));
      });
    }

    test("keeps its action item when a batch also has an allowed change", async () => {
      const actionId = await storedAction("alice", { visitId: await heldVisit(held) });
      const batch = writeBatch(alice.db);
      batch.update(doc(alice.db, "visits", await storedVisit()), { title: "allowed" });
      batch.update(doc(alice.db, "actions", actionId), { completed: true });
      await denied(batch.commit());
    });

    test("can be changed by its owner after the hold has ended", async () => {
      const visitId = await storedVisit("alice", { legalHold: false });
      const actionId = await storedAction("alice", { visitId });
      await updateDoc(doc(alice.db, "visits", visitId), { title: "mine again" });
      await updateDoc(doc(alice.db, "actions", actionId), { completed: true });
    });
  });
}

describe("the mark of a legal hold", () => {
  for (const [name, person] of Object.entries({ "its owner": alice, "an operator": admin })) {
    test(`cannot be deleted, changed or created by ${name}`, async () => {
      const visitId = await heldVisit(holds["by its mark alone"]);
      await denied(deleteDoc(doc(person.db, "holds", visitId)));
      await denied(updateDoc(doc(person.db, "holds", visitId), { userId: "bob" }));
      await denied(setDoc(doc(person.db, "holds", newId()), { userId: "alice" }));
    });
  }

  test("does not prevent a new visit with another id", async () => {
    await heldVisit(holds["by its mark alone"]);
    const visitId = newId();
    await setDoc(doc(alice.db, "visits", visitId), newVisit(visitId));
  });
});

describe("the recordings of a visit under a legal hold", () => {
  const sound = new Uint8Array([1, 2, 3]);
  const type = { contentType: "audio/mp4" };

  test("cannot be replaced, changed or deleted, but another recording can be added", async () => {
    const visitId = await heldVisit(holds["by mark and field"]);
    const folder = `visits/alice/${visitId}`;
    const first = ref(alice.bucket, `${folder}/audio.m4a`);
    await uploadBytes(first, sound, type);
    await denied(uploadBytes(first, sound, type));
    await denied(updateMetadata(first, { customMetadata: { a: "b" } }));
    await denied(deleteObject(first));
    await uploadBytes(ref(alice.bucket, `${folder}/audio.2.m4a`), sound, type);
  });
});
