// A web client in its own process creates a visit, listens to it, and prints every update as one
// line of JSON. The process ends when its standard input ends.

import { initializeApp } from "firebase/app";
import { connectFirestoreEmulator, getFirestore, setLogLevel } from "firebase/firestore";
import { changeVisit, createVisit, listenToVisit } from "../../clients/web/visits.js";

const { project, host, port, userId, visitId } = JSON.parse(process.argv[2]);

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

setLogLevel("silent"); // the SDK would warn about the connection that the test cuts
const db = getFirestore(initializeApp({ projectId: project, apiKey: "none" }));
connectFirestoreEmulator(db, host, port, { mockUserToken: { sub: userId } });

await createVisit(db, { visitId, userId, title: "Check-up", consent: true });
await changeVisit(db, visitId, { tags: ["heart"] });
listenToVisit(
  db,
  visitId,
  (visit) =>
    say({
      receivedAt: Date.now(),
      updatedAt: visit.updatedAt.toMillis(),
      status: visit.status,
      processingStatus: visit.processingStatus,
      currentStep: visit.currentStep,
      progressPercent: visit.progressPercent,
      title: visit.title,
      tags: visit.tags,
      summary: visit.summary,
    }),
  (error) => say({ error: error.code }),
);

process.stdin.on("end", () => process.exit(0)).resume();
