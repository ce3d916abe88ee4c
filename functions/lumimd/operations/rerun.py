"""Process a visit again: transcribe and summarize it anew, or only summarize it."""

from enum import StrEnum

from lumimd.domain import events as e
from lumimd.domain.codes import OperatorCode, RefusalCode
from lumimd.domain.errors import OperatorRefused, Permanent, Refused
from lumimd.domain.visit import Visit
from lumimd.operations.audit import audited, standing
from lumimd.operations.operator import Operator
from lumimd.pipeline import commands
from lumimd.pipeline.legal_hold import as_marked
from lumimd.pipeline.save import save_event


class From(StrEnum):
    """The step at which to begin again."""

    SUBMISSION = "submission"
    SUMMARY = "summary"


async def rerun(operator: Operator, visit_id: str, begin: From) -> Visit:
    """Begin another attempt at a visit that has ended.

    From the summary, the transcript stays and only the model is paid again. From the submission,
    all results are made anew and the transcription is paid again, unless none was ordered before.

    Raises:
        Refused: the visit is under legal hold, is being processed, was retried a moment ago, has no
            transcript or does not exist.
        OperatorRefused: the recording is gone; the transcript and the summary stay.
    """
    services = operator.services
    stored = await services.store.get(visit_id)
    before = standing(stored.visit if stored else None)
    async with audited(operator, f"rerun_from_{begin}", visit_id, before=before) as note:
        if begin is From.SUMMARY:
            visit = await commands.regenerate(services, visit_id)
        else:
            visit = await _from_submission(operator, visit_id)
        note.after = standing(visit)
    return visit


async def _from_submission(operator: Operator, visit_id: str) -> Visit:
    services = operator.services
    stored = await services.store.get(visit_id)
    if stored is None:
        raise Refused(RefusalCode.VISIT_NOT_FOUND)
    stored = await as_marked(services, stored)
    visit = stored.visit
    commands.not_held(visit)
    if not visit.processing_status.is_terminal:
        raise Refused(RefusalCode.STILL_PROCESSING)
    if visit.audio is None:
        raise OperatorRefused(OperatorCode.NO_RECORDING)
    has_transcript = visit.transcription is not None and visit.transcription.completed_at
    error = visit.processing_error
    if error is not None and error.retryable and not has_transcript:
        # A paid job that may exist is looked for, so that it is not paid twice.
        return await commands.retry(services, visit_id)
    try:
        await services.audio.measure(visit.audio)
    except Permanent as error:  # a restart would lose the present results and make no new ones
        raise OperatorRefused(OperatorCode.NO_RECORDING) from error
    before = stored.version
    saved = await save_event(
        services,
        stored,
        e.AudioReplaced(None, visit.audio),
        still_wanted=lambda now: now.processing_status.is_terminal and not now.legal_hold,
    )
    if saved is None or saved.version == before:
        raise OperatorRefused(OperatorCode.CHANGED_MEANWHILE)
    return saved.visit
