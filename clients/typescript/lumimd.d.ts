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
 * `partial`: the transcript is safe, and there is no summary.
 */
export type Status = "processing" | "completed" | "partial" | "failed" | "cancelled" | "expired";
/**
 * The steps of the work, in their order.
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
 * Failures of a visit. `retryable`: another try of the same recording may succeed.
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
 * The kind of recording, which selects the analysis after the transcript.
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
 * An action item for the patient. The owner may edit it afterwards.
 *
 * `due` is in the words of the visit; `due_date` is a day that the owner has chosen. An item of a
 * summary has its original text in `extracted_text`, and in `said` a hash of the spoken words that
 * it cites: another summary finds the item by them (`owners_work.py`).
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
 * The receipt of a deletion, which continues at `wake_at` until it is complete.
 *
 * Only the receipt remains of the visit: ids and counts. At `settled_at` every worker on the visit
 * has certainly stopped (quiescence). `counts` are the deleted documents, recordings, tasks and
 * copies at the provider.
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
 * One line of the timeline of a visit: codes only, no words of the visit.
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
 * A run of utterances that is stored as one document.
 */
export interface TranscriptPage {
  page: number;
  utterances: Utterance[];
}
/**
 * Uninterrupted speech of one speaker.
 *
 * `id` is unique in the transcript, and evidence refers to it. `start_ms` and `end_ms` count from
 * the start of the recording; `confidence` is the recognizer's, from 0 to 1.
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
 * One generation of a recording, with its measured length and, if known, its size.
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
 * The cost of the visit so far, over all its attempts, in the units of the providers' bills.
 *
 * `orders` are jobs that the provider accepted, `summaries` answers of the model, good and bad.
 * Up to `summaries_unsettled` more answers may have been paid: their workers crashed, or the
 * answers were lost on the way. `jobs` are the newest jobs, so that each counts once.
 */
export interface Ledger {
  audioSeconds?: number;
  orders?: number;
  summaries?: number;
  summariesUnsettled?: number;
  jobs?: LedgerJob[];
}
/**
 * A job at the provider, charged for `seconds` of audio; None: not charged so far.
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
 * The patient agreed to the processing of the recording.
 */
export interface Consent {
  givenAt: Timestamp;
}
/**
 * A file in the transcript: its audio, its job, and its number of `utterances` over `seconds`.
 *
 * Takes are in the order of their upload, which `order` keeps when a file is replaced.
 */
export interface Take {
  audio: Audio;
  transcription: Transcription;
  utterances?: number | null;
  seconds: number;
  order: number;
}
/**
 * A file that brought no transcript, with a reason from the closed list.
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
 * The fields of an action item that its owner may change, alone or together.
 */
export interface ActionChange {
  text?: string;
  dueDate?: Timestamp | null;
  completed?: boolean;
}
/**
 * A visit as its owner creates it, before there is a recording.
 *
 * Other fields have their defaults until the recording arrives.
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
 * The patient agreed to the processing of the recording, at the instant of this write.
 */
export interface ConsentGiven {
  givenAt: FieldValue;
}
/**
 * The fields of a visit that its owner may change, alone or together.
 */
export interface VisitChange {
  title?: string | null;
  archived?: boolean;
  tags?: string[];
  updatedAt?: FieldValue;
}
