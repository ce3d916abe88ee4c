// Made by scripts/schemas out of the models of the pipeline. Not to be edited.
//
// Fields that are optional here are absent from a document that was written before they existed,
// and from a visit whose recording has not arrived yet. Fields by which the pipeline steers itself
// are left out: they are marked x-internal in infra/schemas.

import type { FieldValue, Timestamp } from "firebase/firestore";

/**
 * Where the work on a visit stands.
 */
export type ProcessingStatus =
  "pending" | "transcribing" | "summarizing" | "completed" | "failed" | "cancelled";
/**
 * Who a speaker is in the visit.
 */
export type Role = "clinician" | "patient" | "unknown";
/**
 * What was recorded; it chooses the analysis that follows the transcript.
 */
export type VisitKind = "visit";
/**
 * The closed list of failures that a client can see.
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
 * What a visit is to its owner.
 *
 * `partial`: the transcript is safe and the summary is not there.
 */
export type Status = "processing" | "completed" | "partial" | "failed" | "cancelled" | "expired";
/**
 * What is being done now, in the order in which it happens.
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
 * The part of the work in which something failed.
 */
export type Stage = "submission" | "transcription" | "summary";

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
 * Something the patient has to do. The owner may edit it afterwards.
 *
 * `due` is in the words of the visit; `due_date` is a day that the owner has chosen. Of an item of
 * a summary, `extracted_text` is its text as the summary has it, and `said` a hash of the spoken
 * words that it cites: another summary finds the item by them (`owners_work.py`).
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
 * The receipt of a deletion, and until it is complete what is left to do, at `wake_at`.
 *
 * It is all that remains of the visit: ids and counts. `settled_at` is when whoever was at work on
 * the visit has stopped for certain; `counts` are the documents, recordings, tasks and copies at
 * the provider that were deleted.
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
 * One line of a visit's timeline: codes only, never a word of the visit.
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
 * `users/{uid}`: what an operator grants and what the user prefers.
 *
 * A user of whom no `tier` is stored has the deployment's default.
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
 * What one speaker said without a break.
 *
 * `id` is unique in the transcript and is what evidence refers to. `start_ms` and `end_ms` count
 * from the start of the recording; `confidence` is the recognizer's, from 0 to 1.
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
 *
 * `attempt` counts from 1 and rises whenever the work starts over; whatever an earlier attempt
 * still brings is refused. `stage_tries` counts the tries of the present stage that were used up;
 * waiting for a dependency that is known to be down uses up none. `deaths` counts the submission's
 * leases that expired without an outcome (the worker crashed). `orders` counts the leases under
 * which a transcript of this recording may have been ordered, `restarts` how often the provider
 * lost its job, `requests` the summary tasks created, `unanswered_requests` those of them that no
 * worker has taken up since the last one did. `held_since` is when the present stage first had to
 * wait for a dependency that is known to be down, `fault_at` when the visit last had to wait for a
 * fault of the deployment: its times count from then on. `given_up_jobs` are jobs at the provider
 * that ran for too long; they are not adopted, unless they end after all. From
 * `overdue_at` on, a visit that is not at its end takes longer than expected. `retry_count` counts
 * the attempts at what failed that were asked for, and `last_retry_at` is when another attempt, or
 * another summary, last was. `turn` is the visit's
 * turn in the line for the provider while it waits there (`admission/`), `queued_at` when it first
 * had to wait, there or for its user's quota. Once it was in line or at the provider, its
 * recording is `counted` against that quota. An `urgent` visit overtakes the others. A
 * `provisional` summary was made by rules while the model was away; it is replaced once, or the
 * rules' is made final. A visit may have several files, its takes (`takes.py`); `kept` is the
 * status that it goes back to when the present file brings nothing. `action_ids` are the action
 * items of the summary in its order, and those of earlier ones that their owner has worked on;
 * `retired_action_ids` are items of earlier summaries that are gone. While it is under
 * `legal_hold`, recordings that come are `held_takes`, and a summary that would replace the
 * stored one is `summary_owed`: both wait for the release.
 */
export interface Visit {
  visitId: string;
  userId: string;
  kind?: VisitKind;
  schemaVersion?: number;
  batchId?: string | null;
  urgent?: boolean;
  consent?: Consent | null;
  legalHold?: boolean;
  title?: string | null;
  archived?: boolean;
  tags?: string[];
  audio?: Audio | null;
  audioUrl?: string | null;
  audioErasedAt?: Timestamp | null;
  takes?: Take[];
  waitingTakes?: Audio[];
  refusedTakes?: RefusedTake[];
  heldTakes?: Audio[];
  summaryOwed?: boolean;
  kept?: ProcessingStatus | null;
  status: Status;
  processingStatus: ProcessingStatus;
  progressPercent?: number;
  currentStep?: Step;
  estimatedSecondsRemaining?: number | null;
  takingLongerThanExpected?: boolean;
  overdueAt?: Timestamp | null;
  processingError?: ProcessingError | null;
  attempt?: number;
  deaths?: number;
  unansweredRequests?: number;
  faultAt?: Timestamp | null;
  givenUpJobs?: string[];
  turn?: number | null;
  queuedAt?: Timestamp | null;
  counted?: boolean;
  retryCount?: number;
  lastRetryAt?: Timestamp | null;
  transcription?: Transcription | null;
  transcriptPages?: number;
  source?: ("model" | "rules") | null;
  provisional?: boolean;
  summary?: string | null;
  summaryStatements?: Statement[];
  diagnoses?: Diagnosis[];
  medications?: Medications | null;
  imaging?: Statement[];
  nextSteps?: Statement[];
  education?: Statement[];
  actionIds?: string[];
  retiredActionIds?: string[];
  ledger?: Ledger;
  createdAt: Timestamp;
  updatedAt: Timestamp;
  timings?: Timings | null;
}
/**
 * The patient agreed to the processing of the recording.
 */
export interface Consent {
  givenAt: Timestamp;
}
/**
 * One generation of a recording: its length as measured by us, its size where it is known.
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
 * A file whose words are in the transcript: `utterances` of them, over `seconds`.
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
 * The provider's job and what came of it.
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
 * A file that brought nothing to the visit, and why, in words of the closed list.
 */
export interface RefusedTake {
  storagePath: string;
  generation: number;
  code: ErrorCode;
  message: string;
  at: Timestamp;
}
/**
 * Why a visit failed: a code and a sentence from the closed list, nothing technical.
 */
export interface ProcessingError {
  code: ErrorCode;
  message: string;
  stage: Stage;
  retryable: boolean;
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
 * What the visit has cost so far, over all its attempts: what the providers charge by.
 *
 * `orders` are jobs that the provider took, `summaries` answers of the model, good ones and bad
 * ones. Up to `summaries_unsettled` more answers may have been paid: their workers crashed, or the
 * answers were lost on the way. `jobs` are the newest of the jobs, so that each counts once.
 */
export interface Ledger {
  audioSeconds?: number;
  orders?: number;
  summaries?: number;
  summariesUnsettled?: number;
  jobs?: LedgerJob[];
}
/**
 * A job at the provider; `seconds` of audio are charged for it, None where none are so far.
 */
export interface LedgerJob {
  transcriptId: string;
  seconds?: number | null;
}
/**
 * When the present attempt began and ended.
 */
export interface Timings {
  processingStartedAt: Timestamp;
  processingCompletedAt?: Timestamp | null;
  processingTimeMs?: number | null;
}
/**
 * What an owner may change of an action item, each field alone or together.
 */
export interface ActionChange {
  text?: string;
  dueDate?: Timestamp | null;
  completed?: boolean;
}
/**
 * A visit as its owner creates it, before there is a recording.
 *
 * What is not here has its default until the recording arrives.
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
 * What an owner may change of a visit, each field alone or together.
 */
export interface VisitChange {
  title?: string | null;
  archived?: boolean;
  tags?: string[];
  updatedAt?: FieldValue;
}
