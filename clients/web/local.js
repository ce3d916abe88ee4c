import { connectFirestoreEmulator } from "firebase/firestore";
import { connectStorageEmulator } from "firebase/storage";

/** How the SDK is set up for the stack of `scripts/dev`. */
export const LOCAL_APP = {
  projectId: "demo-lumimd",
  storageBucket: "lumimd-recordings",
  apiKey: "none",
};

/**
 * Point the SDK to the stack of `scripts/dev`, as the user of a token.
 *
 * @param {import("firebase/firestore").Firestore} db
 * @param {import("firebase/storage").FirebaseStorage} storage
 * @param {string} token what `scripts/sign-in USER` prints; the API takes the same one
 * @param {{ firestore: number, storage: number }} ports where the table of `scripts/dev` differs
 */
export function connectLocally(db, storage, token, ports = { firestore: 8580, storage: 9199 }) {
  connectFirestoreEmulator(db, "127.0.0.1", ports.firestore, { mockUserToken: token });
  connectStorageEmulator(storage, "127.0.0.1", ports.storage, { mockUserToken: token });
}
