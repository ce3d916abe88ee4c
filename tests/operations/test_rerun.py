"""An operator reruns a visit from a chosen step."""

import pytest

from lumimd.domain.codes import OperatorCode, RefusalCode
from lumimd.domain.errors import OperatorRefused, Refused
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.operations.operator import Operator
from lumimd.operations.rerun import From, rerun
from lumimd.pipeline import commands, recover, summarize
from lumimd.stores.operator_store import AuditFilter
from tests.support.operators import OperatedServices


async def test_a_rerun_from_the_summary_keeps_the_transcript_and_pays_only_the_model(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    before = await services.store.transcript("v1")
    visit = await rerun(olga, "v1", From.SUMMARY)
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    await summarize.summarize(services, "v1", visit.attempt)
    assert (await services.get("v1")).status is Status.COMPLETED
    assert await services.store.transcript("v1") == before
    assert len(services.transcriber.orders) == 1
    assert services.summarizer.calls == 2


async def test_a_rerun_from_the_submission_orders_a_new_transcript(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    visit = await rerun(olga, "v1", From.SUBMISSION)
    assert (visit.attempt, visit.processing_status) == (2, ProcessingStatus.PENDING)
    await recover.wake_due(services)
    assert len(services.transcriber.orders) == 2
    assert (await services.get("v1")).processing_status is ProcessingStatus.TRANSCRIBING


async def test_a_rerun_of_a_visit_in_progress_is_refused(
    services: OperatedServices, olga: Operator
) -> None:
    await services.submitted("v1")
    for begin in From:
        with pytest.raises(Refused) as refused:
            await rerun(olga, "v1", begin)
        assert refused.value.code is RefusalCode.STILL_PROCESSING
    assert len(services.transcriber.orders) == 1


async def test_a_rerun_from_the_submission_without_a_recording_is_refused(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    before = await services.get("v1")
    services.audio._content.clear()  # as if retention had removed it
    with pytest.raises(OperatorRefused) as refused:
        await rerun(olga, "v1", From.SUBMISSION)
    assert refused.value.code is OperatorCode.NO_RECORDING
    assert await services.get("v1") == before


async def test_a_rerun_after_a_failed_order_uses_retry_which_looks_for_the_job_first(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []

    async def retried(_services: object, visit_id: str) -> object:
        began.append(visit_id)
        return await services.get(visit_id)

    from lumimd.domain import events as e
    from lumimd.domain.codes import ErrorCode
    from lumimd.pipeline.save import save_event

    await services.submitted("v1")
    stored = await services.store.get("v1")
    assert stored is not None
    await save_event(
        services, stored, e.TranscriptionFailed(1, ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    )
    monkeypatch.setattr(commands, "retry", retried)
    await rerun(olga, "v1", From.SUBMISSION)
    assert began == ["v1"]


async def test_the_audit_log_names_the_step_of_a_rerun(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    await rerun(olga, "v1", From.SUMMARY)
    (entry,) = await services.operators.audit(AuditFilter(target="v1"), 10)
    assert entry.action == "rerun_from_summary"
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["status"], entry.after["status"]) == ("completed", "processing")


async def test_a_rerun_of_a_missing_visit_is_refused(
    services: OperatedServices, olga: Operator
) -> None:
    for begin in From:
        with pytest.raises(Refused) as refused:
            await rerun(olga, "nobody", begin)
        assert refused.value.code is RefusalCode.VISIT_NOT_FOUND
