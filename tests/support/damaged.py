"""Make a document of each kind from a name and a time, for tests that damage the document."""

from datetime import datetime

from lumimd.domain.codes import ErrorCode
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.visit import Action, Deletion, HistoryEntry, ProcessingStatus, Stage, Visit
from lumimd.stores.operator_store import AuditEntry
from tests.support.services import START, upload


def visit(name: str, at: datetime) -> Visit:
    return Visit(
        visit_id=name,
        user_id="u",
        batch_id="batch",
        audio=upload(name).audio,
        wake_at=at,
        overdue_at=at,
        turn=int((at - START).total_seconds()),
        retry_count=int((at - START).total_seconds()),
        created_at=at,
        updated_at=at,
    )


def deletion(name: str, at: datetime) -> Deletion:
    return Deletion(
        visit_id=name, user_id="u", requested_at=at, settled_at=at, wake_at=at, folder="visits/u/v/"
    )


def action(name: str, at: datetime) -> Action:
    return Action(
        action_id=name, visit_id="v", user_id="u", text="Rest.", evidence=(), created_at=at
    )


def letter(name: str, at: datetime) -> DeadLetter:
    code = ErrorCode.SUMMARY_INVALID
    return DeadLetter(
        visit_id=name,
        user_id="u",
        stage=Stage.SUMMARY,
        code=code,
        attempt=1,
        tries=1,
        first_error=code,
        first_seen_at=at,
        last_error=code,
        last_seen_at=at,
    )


def entry(name: str, at: datetime) -> AuditEntry:
    return AuditEntry(entry_id=name, at=at, actor="olga", action="retry", target="v")


def line(name: str, at: datetime) -> HistoryEntry:
    pending = ProcessingStatus.PENDING
    return HistoryEntry(
        position=0, event=name, from_status=pending, to_status=pending, attempt=1, at=at
    )
