// Made by scripts/schemas out of the models of the pipeline. Not to be edited.
//
// Fields that are optional here are absent from a document that was written before they existed,
// and from a visit whose recording has not arrived yet. Fields by which the pipeline steers itself
// are left out: they are marked x-internal in infra/schemas.

import type { FieldValue, Timestamp } from "firebase/firestore";

/**
 * The status of the work on a visit.
 */
export type ProcessingStatus =
  "pending" | "transcribing" | "summarizing" | "completed" | "failed" | "cancelled";
/**
 * The role of a speaker in the visit.
 */
export type Role = "clinician" | "patient" | "unknown";
/**
 * The status of a visit for its owner.
 *
 * `partial` means that the transcript is stored, and that there is no summary.
 */
export type Status = "processing" | "completed" | "partial" | "failed" | "cancelled" | "expired";
/**
 * The steps of the work on a visit, in the order of the work.
 */
export type Step =
  | "waiting_for_audio"
  | "audio_received"
  | "queued"
  | "submitting"
  | "transcribing"
  | "transcript_ready"
  | "summarizing"
  | "provisional"
  | "completed";
/**
 * Failures of a visit. `retryable` means that another try of the same recording may succeed.
 */
export type ErrorCode =
  | "audio_empty"
  | "audio_missing"
  | "audio_too_large"
  | "audio_too_long"
  | "audio_too_short"
  | "audio_truncated"
  | "audio_unreadable"
  | "cancelled"
  | "consent_missing"
  | "expired"
  | "no_speech"
  | "transcription_failed"
  | "transcription_unavailable"
  | "summary_invalid"
  | "summary_refused"
  | "summary_truncated"
  | "summary_unavailable"
  | "received_too_late"
  | "internal_error";
/**
 * The stage of the work in which a failure occurred.
 */
export type Stage = "submission" | "transcription" | "summary";
/**
 * The kind of a recording, which selects the analysis after transcription.
 */
export type VisitKind = "visit";

/**
 * What is read, by path.
 */
export interface Documents {
  "actions/{actionId}": Action;
  "deletions/{visitId}": Deletion;
  "visits/{visitId}/history/{position}": HistoryEntry;
  "users/{userId}": Profile;
  "visits/{visitId}/transcript/{page}": TranscriptPage;
  "visits/{visitId}": Visit;
}
/**
 * An action item for the patient. The owner of the visit may edit it.
 *
 * `due` quotes the words of the visit; `due_date` is a day that the owner has chosen. An item of a
 * summary keeps its original text in `extracted_text`, and in `said` a hash of the spoken words
 * that it cites. A later summary finds the item by these two fields (`owners_work.py`).
 */
export interface Action {
  actionId: string;
  visitId: string;
  userId: string;
  text: string;
  extractedText?: string | null;
  evidence: string[];
  said?: string | null;
  due?: string | null;
  dueDate?: Timestamp | null;
  completed?: boolean;
  createdAt: Timestamp;
}
/**
 * The deletion receipt of a visit; the deletion continues at `wake_at` until it is complete.
 *
 * Only the deletion receipt, with ids and counts, remains of the visit. At `settled_at` every
 * worker on the visit has certainly stopped. `counts` are the numbers of deleted documents,
 * recordings, tasks and copies at the provider.
 */
export interface Deletion {
  visitId: string;
  userId: string;
  requestedAt: Timestamp;
  completedAt?: Timestamp | null;
  counts?: {
    [k: string]: number;
  };
}
/**
 * One entry in the history of a visit, with codes only and without words of the visit.
 */
export interface HistoryEntry {
  position: number;
  event: string;
  fromStatus: ProcessingStatus;
  toStatus: ProcessingStatus;
  attempt: number;
  at: Timestamp;
  detail?: string | null;
}
/**
 * `users/{uid}`: the tier that an operator grants, and the preferences of the user.
 *
 * Without a stored `tier`, the default of the deployment applies.
 */
export interface Profile {
  userId: string;
  tier?: string | null;
  preferences?: {
    [k: string]: unknown;
  } | null;
}
/**
 * Consecutive utterances that are stored as one document.
 */
export interface TranscriptPage {
  page: number;
  utterances: Utterance[];
}
/**
 * A passage that one speaker says without interruption.
 *
 * `id` is unique in the transcript, and evidence refers to the `id`. `start_ms` and `end_ms` count
 * from the start of the recording; `confidence` is the confidence of the recognizer, from 0 to 1.
 */
export interface Utterance {
  id: string;
  speaker: string;
  role?: Role;
  startMs: number;
  endMs: number;
  text: string;
  confidence: number;
}
/**
 * One recorded visit.
 */
export interface Visit {
  visitId: string;
  userId: string;
  status: Status;
  processingStatus: ProcessingStatus;
  currentStep?: Step;
  progressPercent?: number;
  processingError?: ProcessingError | null;
  audio?: Audio | null;
  attempt?: number;
  retryCount?: number;
  transcription?: Transcription | null;
  provisional?: boolean;
  legalHold?: boolean;
  ledger?: Ledger;
  timings?: Timings | null;
  createdAt: Timestamp;
  updatedAt: Timestamp;
  kind?: VisitKind;
  schemaVersion?: number;
  batchId?: string | null;
  urgent?: boolean;
  consent?: Consent | null;
  title?: string | null;
  archived?: boolean;
  tags?: string[];
  audioUrl?: string | null;
  audioErasedAt?: Timestamp | null;
  takes?: Take[];
  waitingTakes?: Audio[];
  refusedTakes?: RefusedTake[];
  heldTakes?: Audio[];
  summaryOwed?: boolean;
  kept?: ProcessingStatus | null;
  estimatedSecondsRemaining?: number | null;
  takingLongerThanExpected?: boolean;
  overdueAt?: Timestamp | null;
  deaths?: number;
  unansweredRequests?: number;
  faultAt?: Timestamp | null;
  givenUpJobs?: string[];
  turn?: number | null;
  queuedAt?: Timestamp | null;
  counted?: boolean;
  lastRetryAt?: Timestamp | null;
  transcriptPages?: number;
  source?: ("model" | "rules") | null;
  summary?: string | null;
  summaryStatements?: Statement[];
  diagnoses?: Diagnosis[];
  medications?: Medications | null;
  imaging?: Statement[];
  nextSteps?: Statement[];
  education?: Statement[];
  actionIds?: string[];
  retiredActionIds?: string[];
}
/**
 * The failure of a visit: a code and a sentence from the closed list, nothing technical.
 */
export interface ProcessingError {
  code: ErrorCode;
  message: string;
  stage: Stage;
  retryable: boolean;
}
/**
 * One generation of a recording, with its length and size where they are known.
 */
export interface Audio {
  bucket: string;
  storagePath: string;
  generation: number;
  contentType: string;
  sizeBytes: number | null;
  durationSeconds?: number | null;
}
/**
 * The job at the provider and its result.
 */
export interface Transcription {
  provider: string;
  transcriptId: string;
  submittedAt: Timestamp;
  completedAt?: Timestamp | null;
  languageCode?: string | null;
  confidence?: number | null;
  pages?: number;
}
/**
 * The cost of all attempts of the visit so far, in the units of the providers' bills.
 *
 * `orders` counts the jobs that the provider accepted, `summaries` the responses of the model,
 * good and bad. Up to `summaries_unsettled` more responses may have been paid: their workers
 * crashed, or the responses were lost on the way. `jobs` lists the newest jobs, so that each job
 * counts once.
 */
export interface Ledger {
  audioSeconds?: number;
  orders?: number;
  summaries?: number;
  summariesUnsettled?: number;
  jobs?: LedgerJob[];
}
/**
 * A job at the provider, charged for `seconds` of audio; None means not charged so far.
 */
export interface LedgerJob {
  transcriptId: string;
  seconds?: number | null;
}
/**
 * The start and the end of the present attempt.
 */
export interface Timings {
  processingStartedAt: Timestamp;
  processingCompletedAt?: Timestamp | null;
  processingTimeMs?: number | null;
}
/**
 * The patient's consent to the processing of the recording.
 */
export interface Consent {
  givenAt: Timestamp;
}
/**
 * A file in the transcript: its audio, its job, its number of `utterances`, and its `seconds`.
 *
 * `order` keeps takes in the order of their upload, even if a file is replaced later.
 */
export interface Take {
  audio: Audio;
  transcription: Transcription;
  utterances?: number | null;
  seconds: number;
  order: number;
}
/**
 * A file that brought no transcript, with a code and a sentence from the closed list.
 */
export interface RefusedTake {
  storagePath: string;
  generation: number;
  code: ErrorCode;
  message: string;
  at: Timestamp;
}
/**
 * One sentence of plain text.
 */
export interface Statement {
  /**
   * Ids of the utterances that say this, e.g. ['u4'].
   */
  evidence: string[];
  /**
   * One short, plain sentence.
   */
  text: string;
}
/**
 * A condition that the clinician named as the patient's own.
 */
export interface Diagnosis {
  /**
   * Ids of the utterances that say this, e.g. ['u4'].
   */
  evidence: string[];
  /**
   * The condition as the clinician named it.
   */
  name: string;
}
/**
 * The medications that this visit started, stopped or changed; others are not listed.
 */
export interface Medications {
  started: Medication[];
  stopped: Medication[];
  /**
   * Dose and frequency are the new ones.
   */
  changed: Medication[];
}
/**
 * A medication, with dose and frequency only where they were said.
 */
export interface Medication {
  /**
   * Ids of the utterances that say this, e.g. ['u4'].
   */
  evidence: string[];
  /**
   * The name of the drug, without dose.
   */
  name: string;
  /**
   * For example '10 mg'. Null when it was not said.
   */
  dose: string | null;
  /**
   * For example 'twice a day'. Null when it was not said.
   */
  frequency: string | null;
}
/**
 * The fields of an action item that its owner may change, in any combination.
 */
export interface ActionChange {
  text?: string;
  dueDate?: Timestamp | null;
  completed?: boolean;
}
/**
 * A new visit as its owner writes it, before the recording is uploaded.
 *
 * All other fields have their defaults until the recording arrives.
 */
export interface NewVisit {
  visitId: string;
  userId: string;
  status: "processing";
  processingStatus: "pending";
  kind?: VisitKind;
  title?: string | null;
  tags?: string[];
  consent?: ConsentGiven | null;
  createdAt: FieldValue;
  updatedAt: FieldValue;
}
/**
 * The patient agrees to the processing of the recording at the time of this write.
 */
export interface ConsentGiven {
  givenAt: FieldValue;
}
/**
 * The fields of a visit that its owner may change, in any combination.
 */
export interface VisitChange {
  title?: string | null;
  archived?: boolean;
  tags?: string[];
  updatedAt?: FieldValue;
}
