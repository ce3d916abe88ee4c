"""An operator retries or discards one dead letter, and the audit log has an entry for it."""

from datetime import timedelta

import pytest

from lumimd.domain.codes import OperatorCode, RefusalCode
from lumimd.domain.commit import Commit
from lumimd.domain.dead_letter import LetterState
from lumimd.domain.errors import OperatorRefused, Refused
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.operations import dead_letters
from lumimd.operations.operator import Operator
from lumimd.pipeline import summarize
from lumimd.stores.operator_store import AuditFilter, AuditOutcome, LetterFilter
from tests.support.operators import OperatedServices


async def test_a_retried_visit_leaves_the_dead_letters_and_keeps_its_transcript(
    services: OperatedServices, olga: Operator
) -> None:
    await services.partial("v1")
    visit = await dead_letters.retry(olga, "v1")
    assert (visit.attempt, visit.processing_status) == (2, ProcessingStatus.SUMMARIZING)
    assert await services.operators.letters(LetterFilter(state=None), 10) == []
    await summarize.summarize(services, "v1", 2)
    assert (await services.get("v1")).status is Status.COMPLETED
    assert len(services.transcriber.orders) == 1


async def test_the_audit_entry_of_a_retry_has_operator_visit_time_and_change(
    services: OperatedServices, olga: Operator
) -> None:
    await services.partial("v1")
    await dead_letters.retry(olga, "v1")
    (entry,) = await services.operators.audit(AuditFilter(), 10)
    assert (entry.actor, entry.action, entry.target) == ("olga", "retry", "v1")
    assert (entry.at, entry.outcome) == (services.clock.now(), AuditOutcome.DONE)
    assert entry.before == {
        "status": "partial",
        "processingStatus": "failed",
        "attempt": 1,
        "code": "summary_invalid",
    }
    assert entry.after == {
        "status": "processing",
        "processingStatus": "summarizing",
        "attempt": 2,
        "code": None,
    }


async def test_a_refused_retry_is_in_the_audit_log(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    with pytest.raises(Refused):
        await dead_letters.retry(olga, "v1")
    (entry,) = await services.operators.audit(AuditFilter(), 10)
    assert (entry.outcome, entry.code) == (AuditOutcome.REFUSED, "nothing_to_retry")


async def test_the_second_of_two_quick_retries_is_refused(
    services: OperatedServices, olga: Operator
) -> None:
    await services.partial("v1")
    await dead_letters.retry(olga, "v1")
    with pytest.raises(Refused) as refused:
        await dead_letters.retry(olga, "v1")
    assert refused.value.code is RefusalCode.STILL_PROCESSING


async def test_discarding_a_dead_letter_stores_the_reason_and_leaves_the_visit_unchanged(
    services: OperatedServices, olga: Operator
) -> None:
    await services.unreadable("v1")
    before = await services.store.get("v1")
    services.clock.advance(timedelta(hours=1))
    letter = await dead_letters.discard(olga, "v1", "the phone recorded noise")
    assert letter == await dead_letters.one(olga, "v1")
    assert (letter.state, letter.discard_reason) == (
        LetterState.DISCARDED,
        "the phone recorded noise",
    )
    assert (letter.discarded_by, letter.discarded_at) == ("olga", services.clock.now())
    assert await services.store.get("v1") == before  # the version is the same as well
    (entry,) = await services.operators.audit(AuditFilter(), 10)
    assert (entry.reason, entry.before, entry.after) == (
        "the phone recorded noise",
        {"state": "open"},
        {"state": "discarded"},
    )


async def test_a_missing_or_discarded_dead_letter_cannot_be_discarded(
    services: OperatedServices, olga: Operator
) -> None:
    await services.unreadable("v1")
    await dead_letters.discard(olga, "v1", "noise")
    with pytest.raises(OperatorRefused) as again:
        await dead_letters.discard(olga, "v1", "noise, again")
    assert again.value.code is OperatorCode.ALREADY_DISCARDED
    assert (await dead_letters.one(olga, "v1")).discard_reason == "noise"
    with pytest.raises(OperatorRefused) as missing:
        await dead_letters.discard(olga, "no-such-visit", "noise")
    assert missing.value.code is OperatorCode.NO_DEAD_LETTER


async def test_a_dead_letter_that_changes_concurrently_is_not_discarded(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.partial("v1")
    save = services.operators.save_letter

    async def save_after_another(*arguments: object) -> None:
        stored = await services.store.get("v1")
        assert stored is not None
        await services.store.save(stored, Commit(stored.visit, no_dead_letter=True))
        await save(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(services.operators, "save_letter", save_after_another)
    with pytest.raises(OperatorRefused) as refused:
        await dead_letters.discard(olga, "v1", "noise")
    assert refused.value.code is OperatorCode.CHANGED_MEANWHILE
    assert await services.operators.letter("v1") is None


async def test_a_visit_that_fails_again_after_a_discard_has_an_open_dead_letter(
    services: OperatedServices, olga: Operator
) -> None:
    await services.partial("v1")
    await dead_letters.discard(olga, "v1", "never mind")
    await dead_letters.retry(olga, "v1")
    from lumimd.domain.codes import ErrorCode
    from lumimd.domain.errors import Permanent

    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    await summarize.summarize(services, "v1", 2)
    letter = await dead_letters.one(olga, "v1")
    assert (letter.state, letter.discard_reason) == (LetterState.OPEN, None)
