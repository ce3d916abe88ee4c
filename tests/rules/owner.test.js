// The rules allow owners to read their own documents and to write a few of the fields.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  collection, doc, getDoc, getDocs, orderBy, query, serverTimestamp, setDoc,
  Timestamp, updateDoc, where,
} from "firebase/firestore";
import { IDS, admin, alice, as, connect, newId, newVisit, stored, storedAction, storedVisit } from "./world.js";

connect();

const visitOf = (person, visitId) => doc(person.db, "visits", visitId);
const actionOf = (person, actionId) => doc(person.db, "actions", actionId);

describe("an owner reads", () => {
  test("a visit", async () => {
    const visitId = await storedVisit();
    assert.equal((await getDoc(visitOf(alice, visitId))).get("summary"), "All is well.");
  });

  test("their visits, by the filter that names their user id", async () => {
    const visitId = await storedVisit();
    await storedVisit("bob");
    const mine = query(collection(alice.db, "visits"), where("userId", "==", "alice"));
    const found = await getDocs(mine);
    assert.ok(found.docs.some((each) => each.id === visitId));
    assert.ok(found.docs.every((each) => each.get("userId") === "alice"));
    await getDocs(query(mine, where("archived", "==", false), orderBy("createdAt", "desc")));
  });

  for (const part of ["transcript", "history"]) {
    test(`the ${part} of a visit, page by page and all at once`, async () => {
      const visitId = await storedVisit();
      await stored(`visits/${visitId}/${part}/000000`, { page: 0, utterances: [] });
      assert.ok((await getDoc(doc(alice.db, "visits", visitId, part, "000000"))).exists());
      assert.equal((await getDocs(collection(alice.db, "visits", visitId, part))).size, 1);
    });
  }

  test("an action item, and all action items of a visit", async () => {
    const visitId = newId();
    const actionId = await storedAction("alice", { visitId });
    assert.ok((await getDoc(actionOf(alice, actionId))).exists());
    const found = await getDocs(
      query(
        collection(alice.db, "actions"),
        where("userId", "==", "alice"),
        where("visitId", "==", visitId),
      ),
    );
    assert.equal(found.size, 1);
  });

  for (const uid of IDS) {
    test(`a visit and a profile as ${uid}`, async () => {
      const visitId = newId();
      await setDoc(doc(as(uid).db, "visits", visitId), newVisit(visitId, { userId: uid }));
      assert.equal((await getDoc(doc(as(uid).db, "visits", visitId))).get("userId"), uid);
      await stored(`users/${uid}`, { tier: "paid" });
      assert.equal((await getDoc(doc(as(uid).db, "users", uid))).get("tier"), "paid");
    });
  }

  test("their profile", async () => {
    await stored("users/alice", { tier: "free" });
    assert.equal((await getDoc(doc(alice.db, "users/alice"))).get("tier"), "free");
  });

  test("a deletion receipt, and the list of their deletion receipts", async () => {
    const path = await stored(`deletions/${newId()}`, { userId: "alice", counts: {} });
    assert.ok((await getDoc(doc(alice.db, path))).exists());
    const mine = query(collection(alice.db, "deletions"), where("userId", "==", "alice"));
    assert.ok(!(await getDocs(mine)).empty);
  });
});

describe("an operator reads", () => {
  for (const path of ["deadLetters/v1", "ops/breaker-model", "ops/audit/entries/e1"]) {
    test(path, async () => {
      await stored(path, { code: "internal_error" });
      const there = doc(admin.db, path);
      assert.ok((await getDoc(there)).exists());
      assert.ok(!(await getDocs(there.parent)).empty);
    });
  }
});

describe("an owner creates a visit", () => {
  test("with only the required fields", async () => {
    const visitId = newId();
    await setDoc(visitOf(alice, visitId), newVisit(visitId));
  });

  test("with every allowed field", async () => {
    const visitId = newId("V_9-");
    await setDoc(
      visitOf(alice, visitId),
      newVisit(visitId, {
        kind: "visit",
        title: "x".repeat(200),
        tags: ["x".repeat(50), ..."123456789"],
        consent: { givenAt: serverTimestamp() },
      }),
    );
  });

  test("with empty optional fields", async () => {
    const visitId = "v".repeat(120) + newId().slice(-8);
    await setDoc(
      visitOf(alice, visitId),
      newVisit(visitId, { title: null, tags: [], consent: null }),
    );
  });
});

describe("an owner changes in a visit", () => {
  const changes = {
    "its title": { title: "Dr. Who" },
    "its title to null": { title: null },
    "its archived flag": { archived: true },
    "its tags": { tags: ["heart", "2026"] },
    "everything at once": { title: "", archived: false, tags: [], updatedAt: serverTimestamp() },
  };
  for (const [name, change] of Object.entries(changes)) {
    test(name, async () => {
      const visitId = await storedVisit();
      await updateDoc(visitOf(alice, visitId), change);
      assert.equal((await getDoc(visitOf(alice, visitId))).get("summary"), "All is well.");
    });
  }

  test("the title and the archived flag right after its creation", async () => {
    const visitId = newId();
    await setDoc(visitOf(alice, visitId), newVisit(visitId, { title: "First" }));
    await updateDoc(visitOf(alice, visitId), { archived: true });
    await updateDoc(visitOf(alice, visitId), { title: "Second" });
  });
});

describe("an owner changes in an action item", () => {
  const changes = {
    "its text": { text: "x".repeat(2000) },
    "its due date": { dueDate: Timestamp.fromMillis(1e12) },
    "its due date to null": { dueDate: null },
    "its completed flag": { completed: true },
    "everything at once": { text: "Run.", dueDate: serverTimestamp(), completed: false },
  };
  for (const [name, change] of Object.entries(changes)) {
    test(name, async () => {
      const before = { completed: true, dueDate: Timestamp.fromMillis(0) };
      const actionId = await storedAction("alice", "completed" in change ? {} : before);
      await updateDoc(actionOf(alice, actionId), change);
    });
  }

  test("its completed flag, even if its text is longer than allowed", async () => {
    const actionId = await storedAction("alice", { text: "x".repeat(3000) });
    await updateDoc(actionOf(alice, actionId), { completed: true });
  });
});
