// End-to-end tests with a user of Firebase Auth and its real token instead of a test identity.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deleteApp, initializeApp } from "firebase/app";
import { connectAuthEmulator, inMemoryPersistence, initializeAuth, signInAnonymously } from "firebase/auth";
import { connectFirestoreEmulator, doc, getDoc, getFirestore, setLogLevel } from "firebase/firestore";
import { connectStorageEmulator, getBytes, getStorage, ref } from "firebase/storage";
import { changeVisit, createVisit, listenToVisit, uploadRecording } from "../../clients/web/visits.js";
import { PROJECT, denied, newId } from "./world.js";

setLogLevel("silent");
const apps = [];

async function signedIn() {
  const config = { projectId: PROJECT, apiKey: "none", storageBucket: `${PROJECT}.appspot.com` };
  const app = initializeApp(config, newId("app"));
  apps.push(app);
  const auth = initializeAuth(app, { persistence: inMemoryPersistence });
  connectAuthEmulator(auth, `http://${process.env.FIREBASE_AUTH_EMULATOR_HOST}`, {
    disableWarnings: true,
  });
  const db = getFirestore(app);
  connectFirestoreEmulator(db, ...address(process.env.FIRESTORE_EMULATOR_HOST));
  const storage = getStorage(app);
  connectStorageEmulator(storage, ...address(process.env.FIREBASE_STORAGE_EMULATOR_HOST));
  const { user } = await signInAnonymously(auth);
  return { userId: user.uid, db, storage };
}

function address(host) {
  const [name, port] = host.split(":");
  return [name, Number(port)];
}

let owner;
let other;
before(async () => {
  owner = await signedIn();
  other = await signedIn();
});
after(() => Promise.all(apps.map((app) => deleteApp(app))));

test("a signed-in user creates a visit, listens to it, changes it and uploads a recording", async () => {
  const visitId = newId();
  const { userId } = owner;
  await createVisit(owner.db, { visitId, userId, consent: true });
  const titled = new Promise((resolve, reject) => {
    listenToVisit(owner.db, visitId, (visit) => visit.title && resolve(visit), reject);
  });
  await changeVisit(owner.db, visitId, { title: "Check-up" });
  assert.equal((await titled).processingStatus, "pending");

  const recording = new Blob([new Uint8Array(10)], { type: "audio/mp4" });
  await uploadRecording(owner.storage, { visitId, userId }, recording, "m4a");
  const path = `visits/${userId}/${visitId}/audio.m4a`;
  assert.equal((await getBytes(ref(owner.storage, path))).byteLength, 10);

  await denied(getDoc(doc(other.db, "visits", visitId)));
  await denied(getBytes(ref(other.storage, path)));
});

test("a listener to another user's visit is refused", async () => {
  const visitId = newId();
  await createVisit(owner.db, { visitId, userId: owner.userId, consent: true });
  await denied(
    new Promise((resolve, reject) => {
      listenToVisit(other.db, visitId, resolve, reject);
    }),
  );
});
