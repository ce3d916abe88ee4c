import { doc, onSnapshot, serverTimestamp, setDoc, updateDoc } from "firebase/firestore";
import { ref, uploadBytesResumable } from "firebase/storage";

/**
 * Create a visit, so that it can be listened to before its recording arrives.
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
 * Upload the recording, once. It goes on by itself where a weak connection interrupted it.
 *
 * @param {import("firebase/storage").FirebaseStorage} storage
 * @param {{ visitId: string, userId: string }} visit
 * @param {Blob} recording as the recorder or the file chooser gives it; its `type` may name the
 *   codec (`audio/webm;codecs=opus`), and is empty where the browser does not know the file
 * @param {string} extension m4a, m4b, mp4, mov, 3gp, 3g2, aac, mp3, ogg, oga, opus, webm, weba, mka, flac, wav, caf, aiff, aif, aifc or amr
 * @param {number} take 2 and more (up to 20) for a recording that goes on after an interruption
 */
export function uploadRecording(storage, { visitId, userId }, recording, extension, take = 1) {
  const name = take > 1 ? `audio.${take}` : "audio";
  const path = `visits/${userId}/${visitId}/${name}.${extension.toLowerCase()}`;
  const contentType = recording.type || `audio/${extension.toLowerCase()}`;
  return uploadBytesResumable(ref(storage, path), recording, { contentType });
}

/**
 * Have `onVisit` called with the visit as it is, and then after every change, until the function
 * that is returned is called. A lost connection mends itself: what changed meanwhile comes then.
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
 * Change what is the owner's to change.
 *
 * @param {import("firebase/firestore").Firestore} db
 * @param {string} visitId
 * @param {import("../typescript/lumimd").VisitChange} change
 */
export async function changeVisit(db, visitId, change) {
  await updateDoc(doc(db, "visits", visitId), { ...change, updatedAt: serverTimestamp() });
}
