"""Detects the clinician and the patient by their words, in pure functions.

The transcription provider only separates the speakers. A clinician asks about symptoms, examines
and prescribes; a patient reports symptoms. Each such phrase (a cue) adds its weight to the score of
its speaker, so the order of speaking does not matter.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from lumimd.domain.transcript import Role, Utterance

MIN_EVIDENCE: Final = 2.0
"""The least difference between the scores of two speakers at which they get roles."""

_Cues = tuple[tuple[float, re.Pattern[str]], ...]


def _cues(*weighted: tuple[float, str]) -> _Cues:
    return tuple((weight, re.compile(rf"\b(?:{pattern})\b")) for weight, pattern in weighted)


_GOING: Final = r"(?:'m| am|'re| are) (?:just |also )?(?:gonna|gon na|going to)|'ll| will"
_WANT: Final = r"(?:'d| would) (?:also )?like|(?: do| also| just)* (?:want|wanna|wan na)"

# Said almost only by clinicians.
_CLINICIAN: Final = _cues(
    (3, rf"(?:i|we)(?:{_GOING}|{_WANT})(?: to)? (?:go ahead and )?"
        r"(?:prescribe|refer you|order|examine|start you|put you|increase your|listen to your)"),
    (3, r"(?:start|put|keep|continue) you on|refer(?:ring)? you|prescribe you"),
    (2, r"(?:i|we)(?:'d| would) (?:also )?like you to|i (?:want|need) you to|have you (?:take|"
        r"come)"),
    (2, r"your (?:exam|x-?ray|blood work|labs?|results?|chart|lungs|blood pressure|a1c|vitals)"),
    (2, r"(?:what|how) (?:brings you|can i (?:do|help)|may i help)|how long have you"),
    (2, r"(?:do|did|have|are|were) you (?:ever |still )?"
        r"(?:have|had|having|been having|feel|feeling|notice|noticed|taking|take|smoke|drink|tried|"
        r"try|allergic|experienc\w+|coughing|able to)"),
    (2, r"any (?:history of|other symptoms|fevers?|chills|nausea|vomiting|chest pain|shortness of|"
        r"pain|numbness|allergies|changes|trouble|problems|swelling|family|medical)"),
    (2, r"does (?:it|that|this) (?:hurt|radiate|feel|get|help)|when did (?:it|this|that|the|your)"),
    (2, r"on (?:your )?(?:physical )?exam|deep breath|let me (?:take a look|examine|check)"),
    (2, r"my (?:impression|assessment|plan|recommendation)|i (?:recommend|suggest|appreciate)"),
    (1, r"can you (?:tell|describe|show|point|move|bend|lift)|tell me (?:more|about|a little)"),
    (1, r"have you|do you|did you|are you|any (?:other )?questions|(?:you have|you've got) (?:a|"
        r"an)"),
    (1, r"follow[- ]up|come back|see you (?:in|back)|we(?:'ll| will| can| should)"),
    (1, r"you (?:said|mentioned)|sorry to hear|sounds like|this is called|what we call"),
)  # fmt: skip

# Said almost only by patients.
_PATIENT: Final = _cues(
    (3, r"my (?:chest|back|knee|head|stomach|throat|legs?|arms?|foot|feet|shoulder|neck|eyes?|"
        r"ears?|hands?|wrist|ankle|hip|belly|skin|heart|fingers?|toe|elbow|nose|symptoms?|pain|"
        r"cough|"
        r"breathing|blood sugars?|doctor|wife|husband|mom|dad|mother|father|job)"),
    (3, r"(?:it|that|this) (?:really )?hurts|i(?:'m| am) (?:in|having) (?:a lot of |"
        r"some )?(?:pain|trouble)"),
    (2, r"i(?:'ve| have)(?: just| also)? (?:had|been|noticed|tried|lost|gained|felt|got)"),
    (2, r"i (?:feel|felt|can't|ca n't|couldn't|noticed|took|take|tried|smoke|drink|woke|fell|hurt|"
        r"work|live|don't take|do n't take|get|got|went|was|had|haven't|have n't|used to|usually)"),
    (2, r"i(?:'m| am) (?:taking|allergic|worried|scared|tired|feeling|not taking|here (?:for|"
        r"because))"),
    (2, r"(?:doctor|doc)[,.?!]?$|will (?:i|it|this) (?:need|be|hurt)|(?:should|do|can) i (?:have|"
        r"need|take|stop|still|keep)"),
    (1, r"(?:it|that)(?:'s| is| was) (?:been|a|kind of|about|mostly|like)|yes|yeah|yep|nope|no"),
    (1, r"thank you(?: so much)?|i think|i guess|i (?:don't|do n't) (?:know|think)|maybe"),
)  # fmt: skip


def assign_roles(utterances: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """Return the same utterances in the same order, each with the role of its speaker.

    A single speaker stays unknown, as do speakers with too similar scores. Of three or more
    speakers, only the best clinician and the best patient get a role, because a relative or a nurse
    sounds a little like both.
    """
    roles = _roles(_scores(utterances))
    return tuple(
        utterance.model_copy(update={"role": roles.get(utterance.speaker, Role.UNKNOWN)})
        for utterance in utterances
    )


def _scores(utterances: Sequence[Utterance]) -> dict[str, float]:
    """Return the score of each speaker: clinician's cues minus patient's cues, by weight."""
    scores: dict[str, float] = defaultdict(float)
    for utterance in utterances:
        text = " ".join(utterance.text.lower().replace("\u2019", "'").split())
        said = sum(weight * len(cue.findall(text)) for weight, cue in _CLINICIAN)
        said -= sum(weight * len(cue.findall(text)) for weight, cue in _PATIENT)
        scores[utterance.speaker] += said + (1 if "?" in text else 0)
    return scores


def _roles(scores: Mapping[str, float]) -> dict[str, Role]:
    """Return the clinician and the patient among the speakers; empty without enough evidence."""
    if len(scores) < 2:
        return {}
    # The name breaks a tie, so that the same words always get the same roles.
    ranked = sorted(scores, key=lambda speaker: (-scores[speaker], speaker))
    clinician, patient = ranked[0], ranked[-1]
    if scores[clinician] - scores[patient] < MIN_EVIDENCE:
        return {}
    return {clinician: Role.CLINICIAN, patient: Role.PATIENT}
