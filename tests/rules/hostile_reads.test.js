// The rules must refuse each of these attempts to read documents without permission.

import { describe, test } from "node:test";
import {
  and, collection, collectionGroup, doc, getCountFromServer, getDoc, getDocs, limit, or, orderBy,
  query, runTransaction, where,
} from "firebase/firestore";
import {
  admin, alice, as, bob, connect, denied, newId, signedOut, stored, storedAction, storedVisit,
} from "./world.js";

connect();

const visits = (person) => collection(person.db, "visits");
const impostor = as("alice2", { user_id: "alice", userId: "alice", email: "alice" });

describe("hostile: reading a document of another user", () => {
  const readers = {
    "another user": bob, "a signed-out client": signedOut, "an operator": admin,
    "an impostor": impostor,
  };
  for (const [name, reader] of Object.entries(readers)) {
    test(`${name} reads a visit`, async () => {
      const visitId = await storedVisit();
      await denied(getDoc(doc(visits(reader), visitId)));
    });

    for (const part of ["transcript", "history"]) {
      test(`${name} reads a visit's ${part}`, async () => {
        const visitId = await storedVisit();
        await stored(`visits/${visitId}/${part}/000000`, { userId: reader === bob ? "bob" : "x" });
        await denied(getDoc(doc(visits(reader), visitId, part, "000000")));
      });

      test(`${name} lists a visit's ${part}`, async () => {
        const visitId = await storedVisit();
        await denied(getDocs(query(collection(visits(reader), visitId, part), limit(1))));
      });
    }

    test(`${name} reads an action item`, async () => {
      const actionId = await storedAction();
      await denied(getDoc(doc(reader.db, "actions", actionId)));
    });

    test(`${name} reads a profile`, async () => {
      await stored("users/alice", { tier: "free" });
      await denied(getDoc(doc(reader.db, "users/alice")));
    });

    test(`${name} reads a deletion receipt`, async () => {
      const path = await stored(`deletions/${newId()}`, { userId: "alice" });
      await denied(getDoc(doc(reader.db, path)));
    });
  }

  test("another user reads a visit in a transaction", async () => {
    const visitId = await storedVisit();
    await denied(runTransaction(bob.db, (reads) => reads.get(doc(visits(bob), visitId))));
  });
});

describe("hostile: listing documents of other users", () => {
  const filters = {
    "no filter": [],
    "another's filter": [where("userId", "==", "alice")],
    "a filter that names no owner": [where("status", "==", "completed")],
    "a list of owners with their own id": [where("userId", "in", ["alice", "bob"])],
    "all owners except one": [where("userId", "!=", "alice")],
    "a range of owners": [where("userId", ">=", "a"), where("userId", "<=", "z")],
    "their own id or the archived flag": [
      or(where("userId", "==", "bob"), where("archived", "==", false)),
    ],
    "an order in place of a filter": [orderBy("userId"), limit(1)],
  };
  for (const [name, filter] of Object.entries(filters)) {
    test(`visits by ${name}`, async () => {
      await storedVisit();
      await storedVisit("bob");
      await denied(getDocs(query(visits(bob), ...filter)));
    });
  }

  test("visits without an owner, by a signed-out client", async () => {
    await denied(getDocs(query(visits(signedOut), where("userId", "==", null))));
  });

  test("a count of all visits", async () => {
    await denied(getCountFromServer(visits(bob)));
  });

  test("visits of all users, by an operator", async () => {
    await denied(getDocs(visits(admin)));
  });

  for (const name of ["actions", "deletions", "users", "deadLetters", "ops"]) {
    test(`all ${name}`, async () => {
      await denied(getDocs(collection(bob.db, name)));
    });
  }

  for (const name of ["transcript", "history", "visits"]) {
    test(`every ${name} in the database`, async () => {
      await denied(getDocs(collectionGroup(bob.db, name)));
    });
    test(`every ${name} in the database with their own user id`, async () => {
      const claimed = query(collectionGroup(bob.db, name), and(where("userId", "==", "bob")));
      // The rules allow this filter on the collection `visits`, but on no collection group.
      await denied(getDocs(name === "visits" ? collectionGroup(bob.db, "visit") : claimed));
    });
  }
});

describe("hostile: reading the documents of operators", () => {
  const claims = {
    "an owner": {},
    "a claim that is a string": { admin: "true" },
    "a claim that is a number": { admin: 1 },
    "a claim that is a list": { admin: [true] },
    "a claim that is false": { admin: false },
    "a claim of another name": { isAdmin: true, role: "admin", Admin: true },
  };
  for (const [name, claim] of Object.entries(claims)) {
    for (const path of ["deadLetters/v1", "ops/breaker-model", "ops/audit/entries/e1"]) {
      test(`${path} by ${name}`, async () => {
        await stored(path, { userId: "alice" });
        await denied(getDoc(doc(as("alice", claim).db, path)));
      });
    }
  }

  test("dead letters by a signed-out client", async () => {
    await denied(getDoc(doc(signedOut.db, "deadLetters/v1")));
  });
});

describe("hostile: paths that the rules do not name", () => {
  const paths = [
    "visits/nothing-here",
    "visits/nothing-here/transcript/000000",
    "Visits/v1",
    "visit/v1",
    "visits/v1/secrets/s1",
    "visits/v1/transcript/000000/words/w1",
    "users/alice/tokens/t1",
    "users/ALICE",
    "users/alice ",
    "users/*",
    "users/{userId}",
    "users/%61lice",
    "actions/a1/visits/v1",
    "deadletters/v1",
    "config/settings",
  ];
  for (const path of paths) {
    test(path, async () => {
      await denied(getDoc(doc(alice.db, path)));
    });
  }

  test("the transcript of a visit that does not exist", async () => {
    const visitId = newId();
    await stored(`visits/${visitId}/transcript/000000`, { userId: "alice" });
    await denied(getDoc(doc(visits(alice), visitId, "transcript", "000000")));
  });
});
