// Writes the document of a phone snippet of docs/clients.md, and uploads to the snippet's path.

import { readFileSync } from "node:fs";
import { initializeApp } from "firebase/app";
import { doc, getFirestore, serverTimestamp, setDoc } from "firebase/firestore";
import { getStorage, ref, uploadBytesResumable } from "firebase/storage";
import { LOCAL_APP, connectLocally } from "../../clients/web/local.js";

const [token, snippet] = process.argv.slice(2);
const { document, path, contentType, recording } = JSON.parse(snippet);

const app = initializeApp(LOCAL_APP);
const [db, storage] = [getFirestore(app), getStorage(app)];
connectLocally(db, storage, token, {
  firestore: Number(process.env.FIRESTORE_PORT),
  storage: Number(process.env.STORAGE_PORT),
});

const written = JSON.parse(JSON.stringify(document), (_, value) =>
  value === "SERVER_TIME" ? serverTimestamp() : value,
);
await setDoc(doc(db, "visits", document.visitId), written);
await uploadBytesResumable(ref(storage, path), readFileSync(recording), { contentType });
process.exit(0);
