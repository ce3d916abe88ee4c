import { connectFirestoreEmulator } from "firebase/firestore";
import { connectStorageEmulator } from "firebase/storage";

/** The SDK's settings for the stack of `scripts/dev`. */
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
 * @param {string} token the output of `scripts/sign-in USER`; the API takes the same token
 * @param {{ firestore: number, storage: number }} ports those in the table of `scripts/dev`
 */
export function connectLocally(db, storage, token, ports = { firestore: 8580, storage: 9199 }) {
  connectFirestoreEmulator(db, "127.0.0.1", ports.firestore, { mockUserToken: token });
  connectStorageEmulator(storage, "127.0.0.1", ports.storage, { mockUserToken: token });
}
