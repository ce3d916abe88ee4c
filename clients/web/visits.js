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
 * @param {Blob} recording its `type` is audio/* or video/mp4, video/webm, video/3gpp
 * @param {string} extension m4a, mp4, 3gp, aac, mp3, ogg, oga, opus, webm, flac or wav
 */
export function uploadRecording(storage, { visitId, userId }, recording, extension) {
  const path = `visits/${userId}/${visitId}/audio.${extension}`;
  return uploadBytesResumable(ref(storage, path), recording, { contentType: recording.type });
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
