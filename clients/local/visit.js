// One visit against the stack of `scripts/dev`, by the code for web pages:
//
//     node clients/local/visit.js demo-user "$(scripts/sign-in demo-user)" samples/visit.m4a
//
// If the table of the stack shows other ports, name them in FIRESTORE_PORT, STORAGE_PORT and
// API_PORT.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { initializeApp } from "firebase/app";
import { getFirestore } from "firebase/firestore";
import { getStorage } from "firebase/storage";
import { LOCAL_APP, connectLocally } from "../web/local.js";
import { changeVisit, createVisit, listenToVisit, uploadRecording } from "../web/visits.js";

const [userId, token, file] = process.argv.slice(2);
const port = (name, usual) => Number(process.env[name] ?? usual);

const app = initializeApp(LOCAL_APP);
const [db, storage] = [getFirestore(app), getStorage(app)];
connectLocally(db, storage, token, {
  firestore: port("FIRESTORE_PORT", 8580),
  storage: port("STORAGE_PORT", 9199),
});

const visit = { visitId: randomUUID(), userId };
await createVisit(db, { ...visit, title: "Check-up", consent: true });
console.log(`${visit.visitId} is created`);

const ended = new Promise((resolve, reject) => {
  listenToVisit(db, visit.visitId, (seen) => {
    console.log(seen.processingStatus, seen.currentStep ?? "");
    if (["completed", "failed", "cancelled"].includes(seen.processingStatus)) resolve(seen);
  }, reject);
});

await uploadRecording(storage, visit, new Blob([readFileSync(file)]), extname(file).slice(1));
const { processingError, summary } = await ended;
if (processingError) throw new Error(processingError.message);
console.log(summary);

await changeVisit(db, visit.visitId, { tags: ["tried"] });
const answer = await fetch(
  `http://127.0.0.1:${port("API_PORT", 8085)}/v1/visits/${visit.visitId}/actions`,
  { headers: { Authorization: `Bearer ${token}` } },
);
for (const { text } of (await answer.json()).actions) console.log(`- ${text}`);
process.exit(0); // the listener keeps the process alive
