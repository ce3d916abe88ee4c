"""The takes of a visit: the files of one recording, in the order of their upload.

`visit.audio` is the file in progress. `takes` are the files in the stored transcript,
`waiting_takes` wait for their turn, `refused_takes` brought no transcript, and `held_takes` wait
for the end of a legal hold. A newer generation of a path replaces the older generation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lumimd.domain.audio import MAX_SECONDS, Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent
from lumimd.domain.transcript import Role, Transcript, Utterance
from lumimd.domain.visit import Take, Transcription, Visit

MAX_FILES: Final = 50
"""The most files of one visit; the security rules allow clients fewer files."""

_FAULTS_OF_A_FILE: Final = frozenset(
    {
        *(ErrorCode.AUDIO_EMPTY, ErrorCode.AUDIO_MISSING, ErrorCode.AUDIO_TOO_LARGE),
        *(ErrorCode.AUDIO_TOO_LONG, ErrorCode.AUDIO_TOO_SHORT, ErrorCode.AUDIO_TRUNCATED),
        *(ErrorCode.AUDIO_UNREADABLE, ErrorCode.NO_SPEECH),
    }
)


def takes_of(visit: Visit) -> tuple[Take, ...]:
    """Return the takes in the stored transcript.

    A visit of an earlier release has no stored takes, so its transcribed file is the only take.
    """
    job = visit.transcription
    if visit.takes or visit.audio is None or job is None or job.completed_at is None:
        return visit.takes
    seconds = visit.audio.duration_seconds or 0.0
    return (Take(audio=visit.audio, transcription=job, seconds=seconds, order=0),)


def generation_known(visit: Visit, storage_path: str) -> int:
    """Return the newest generation of this path among the files of the visit, or 0."""
    files = [(each.storage_path, each.generation) for each in _files(visit)]
    files += [(each.storage_path, each.generation) for each in visit.refused_takes]
    return max((of for path, of in files if path == storage_path), default=0)


def newest_generation(visit: Visit) -> int:
    """Return the newest generation of any file of the visit, or 0."""
    refused = (each.generation for each in visit.refused_takes)
    return max((*(each.generation for each in _files(visit)), *refused), default=0)


def has_room(visit: Visit) -> bool:
    """Whether the visit accepts one more file."""
    files = (visit.takes, visit.waiting_takes, visit.refused_takes, visit.held_takes)
    return sum(map(len, files)) < MAX_FILES


def in_turn(files: Iterable[Audio], newest: Audio) -> tuple[Audio, ...]:
    """Return `files` and `newest` in the order of their upload, with one file per path."""
    others = (each for each in files if each.storage_path != newest.storage_path)
    return tuple(sorted((*others, newest), key=lambda each: each.generation))


def unfinished(visit: Visit) -> tuple[Audio, ...]:
    """Return the present file if its work stopped early, unless the file itself caused the stop."""
    if visit.audio is None or any(take.audio == visit.audio for take in takes_of(visit)):
        return ()
    error = visit.processing_error
    return () if error is not None and error.code in _FAULTS_OF_A_FILE else (visit.audio,)


def with_take(visit: Visit, heard: Transcript, job: Transcription) -> tuple[Take, ...]:
    """Return the takes as they are when the transcript contains the present file."""
    before = takes_of(visit)
    if visit.audio is None:
        return before
    same = [take for take in before if take.audio.storage_path == visit.audio.storage_path]
    take = Take(
        audio=visit.audio,
        transcription=job,
        utterances=len(heard.utterances),
        seconds=_length(visit.audio, heard),
        order=same[0].order if same else visit.audio.generation,
    )
    others = (each for each in before if each not in same)
    return tuple(sorted((*others, take), key=lambda each: each.order))


def check_together(visit: Visit, measured: Audio) -> None:
    """Check that all takes together are not longer than the longest single recording.

    Raises:
        Permanent: `audio_too_long`.
    """
    others = (t for t in takes_of(visit) if t.audio.storage_path != measured.storage_path)
    total = sum(take.seconds for take in others) + (measured.duration_seconds or 0.0)
    if total > MAX_SECONDS:
        raise Permanent(ErrorCode.AUDIO_TOO_LONG)


@dataclass(frozen=True)
class _TakeWords:
    take: Take
    utterances: Sequence[Utterance]
    starts_s: float = 0.0


def joined_takes(visit: Visit, stored: Sequence[Utterance], heard: Transcript) -> Transcript:
    """Return the transcript of the whole visit, with `heard` at its place among the other takes.

    Times count from the start of the first take. Existing ids stay, and the ids of the new take
    follow them. Two takes share a speaker only if the speakers have the same role.
    """
    before = takes_of(visit)
    if visit.audio is None or not before:
        return heard
    path = visit.audio.storage_path
    words = _words_by_take(before, stored)
    others = [each for each in words if each.take.audio.storage_path != path]
    if not others:
        return heard
    said = [utterance for each in others for utterance in each.utterances]
    job = Transcription(provider="", transcript_id="", submitted_at=visit.created_at)
    (new,) = (t for t in with_take(visit, heard, job) if t.audio.storage_path == path)
    groups = [*others, _TakeWords(new, _continued(heard.utterances, said))]
    starts_s = 0.0
    utterances: list[Utterance] = []
    for words_of_take in sorted(groups, key=lambda each: each.take.order):
        shift_ms = round((starts_s - words_of_take.starts_s) * 1000)
        utterances += (_shifted(each, shift_ms) for each in words_of_take.utterances)
        starts_s += words_of_take.take.seconds
    return heard.model_copy(update={"utterances": tuple(utterances)})


def _files(visit: Visit) -> list[Audio]:
    present = (visit.audio,) if visit.audio else ()
    takes = (take.audio for take in visit.takes)
    return [*present, *takes, *visit.waiting_takes, *visit.held_takes]


def _words_by_take(takes: Sequence[Take], stored: Sequence[Utterance]) -> list[_TakeWords]:
    """Return the stored utterances of each take."""
    found: list[_TakeWords] = []
    first, starts_s = 0, 0.0
    for take in takes:
        count = len(stored) - first if take.utterances is None else take.utterances
        said = stored[first : first + count]
        last_s = said[-1].end_ms / 1000 - starts_s if said else 0.0
        take = take.model_copy(update={"seconds": max(take.seconds, last_s)})
        found.append(_TakeWords(take, said, starts_s))
        first, starts_s = first + count, starts_s + take.seconds
    return found


def _length(audio: Audio, heard: Transcript) -> float:
    last_s = max((each.end_ms / 1000 for each in heard.utterances), default=0.0)
    return max(audio.duration_seconds or heard.duration_seconds or 0.0, last_s)


def _shifted(utterance: Utterance, by_ms: int) -> Utterance:
    times = {"start_ms": utterance.start_ms + by_ms, "end_ms": utterance.end_ms + by_ms}
    return utterance.model_copy(update=times) if by_ms else utterance


def _continued(heard: Sequence[Utterance], said: Sequence[Utterance]) -> list[Utterance]:
    """Return the utterances of a new take with ids and speaker names that are not yet in use."""
    numbers = (each.id.partition(".")[0].removeprefix("u") for each in said)
    first = max((int(n) for n in numbers if n.isdecimal()), default=len(said)) + 1
    speakers = _speakers(heard, said)
    return [
        each.model_copy(update={"id": f"u{number}", "speaker": speakers[each.speaker]})
        for number, each in enumerate(heard, start=first)
    ]


def _speakers(heard: Sequence[Utterance], said: Sequence[Utterance]) -> dict[str, str]:
    """Return a name for each speaker of a new take, given the speakers of the other takes."""
    taken = {each.speaker for each in said}
    named: dict[str, str] = {}
    for speaker in dict.fromkeys(each.speaker for each in heard):
        roles = {each.role for each in heard if each.speaker == speaker}
        known = _only_speaker(roles, heard, said)
        if known is None:
            number = 2
            while f"{speaker}{number}" in taken:
                number += 1
            known = f"{speaker}{number}"
            taken.add(known)
        named[speaker] = known
    return named


def _only_speaker(
    roles: set[Role], heard: Sequence[Utterance], said: Sequence[Utterance]
) -> str | None:
    """Return the speaker with this role in the other takes, if it is the same person.

    One speaker of the other takes and one speaker of the new take must have the role.
    """
    if len(roles) != 1 or Role.UNKNOWN in roles:
        return None
    there = {each.speaker for each in said if each.role in roles}
    here = {each.speaker for each in heard if each.role in roles}
    return next(iter(there)) if len(there) == len(here) == 1 else None
