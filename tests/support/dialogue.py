"""Write short transcripts as lines of dialogue."""

from lumimd.domain.transcript import Role, Transcript, Utterance

_ROLES = {"D": Role.CLINICIAN, "P": Role.PATIENT, "?": Role.UNKNOWN}


def visit(*lines: str) -> Transcript:
    """Make utterances u0, u1, ... from lines like 'D: Stop it.'; D is the default speaker."""
    utterances = []
    for number, line in enumerate(lines):
        voice, colon, text = line.partition(": ")
        if not colon or voice not in _ROLES:
            voice, text = "D", line
        utterances.append(
            Utterance(
                id=f"u{number}",
                speaker=voice,
                role=_ROLES[voice],
                start_ms=number * 1000,
                end_ms=number * 1000 + 900,
                text=text,
                confidence=0.9,
            )
        )
    return Transcript(utterances=tuple(utterances))
