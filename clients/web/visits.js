import { doc, onSnapshot, serverTimestamp, setDoc, updateDoc } from "firebase/firestore";
import { ref, uploadBytesResumable } from "firebase/storage";

/**
 * Create a visit, so that a client can listen to it before its recording arrives.
 *
 * @param {import("firebase/firestore").Firestore} db
 * @param {{ visitId: string, userId: string, title?: string | null, consent: boolean }} about
 */
export async function createVisit(db, { visitId, userId, title = null, consent }) {
  /** @type {import("../typescript/lumimd").NewVisit} */
  const visit = {
    visitId,
    userId,
    title,
    status: "processing",
    processingStatus: "pending",
    consent: consent ? { givenAt: serverTimestamp() } : null,
    createdAt: serverTimestamp(),
    updatedAt: serverTimestamp(),
  };
  await setDoc(doc(db, "visits", visitId), visit);
}

/**
 * Upload the recording, once. After a lost connection the upload resumes by itself.
 *
 * @param {import("firebase/storage").FirebaseStorage} storage
 * @param {{ visitId: string, userId: string }} visit
 * @param {Blob} recording from the recorder or the file chooser; its `type` may name the codec
 *   (`audio/webm;codecs=opus`), and is empty if the browser does not know the file
 * @param {string} extension m4a, m4b, mp4, mov, 3gp, 3g2, aac, mp3, ogg, oga, opus, webm, weba, mka, flac, wav, caf, aiff, aif, aifc or amr
 * @param {number} take 2 to 20 for a recording that goes on after an interruption
 */
export function uploadRecording(storage, { visitId, userId }, recording, extension, take = 1) {
  const name = take > 1 ? `audio.${take}` : "audio";
  const path = `visits/${userId}/${visitId}/${name}.${extension.toLowerCase()}`;
  const contentType = recording.type || `audio/${extension.toLowerCase()}`;
  return uploadBytesResumable(ref(storage, path), recording, { contentType });
}

/**
 * Call `onVisit` with the present visit, and after every change, until the returned function is
 * called. After a lost connection the listener reconnects and gets the changes since.
 *
 * @param {import("firebase/firestore").Firestore} db
 * @param {string} visitId
 * @param {(visit: import("../typescript/lumimd").Visit) => void} onVisit
 * @param {(error: import("firebase/firestore").FirestoreError) => void} onError
 */
export function listenToVisit(db, visitId, onVisit, onError) {
  return onSnapshot(
    doc(db, "visits", visitId),
    (snapshot) => {
      const visit = snapshot.data({ serverTimestamps: "estimate" });
      if (visit) onVisit(/** @type {import("../typescript/lumimd").Visit} */ (visit));
    },
    onError,
  );
}

/**
 * Change the fields that the owner may change.
 *
 * @param {import("firebase/firestore").Firestore} db
 * @param {string} visitId
 * @param {import("../typescript/lumimd").VisitChange} change
 */
export async function changeVisit(db, visitId, change) {
  await updateDoc(doc(db, "visits", visitId), { ...change, updatedAt: serverTimestamp() });
}
