"""The caller's account: profile, usage, export, deletion."""

from datetime import datetime

from fastapi.responses import StreamingResponse

from lumimd.api.account_views import DeletionView, Erased, LimitView, Me, UsageView
from lumimd.api.export import part
from lumimd.api.identity import CurrentUser
from lumimd.api.limits import Expensive, OnDemand, in_force
from lumimd.api.listing import Cursor, place_of_cursor
from lumimd.api.problems import Problem
from lumimd.api.routing import may_answer, signed_in_router
from lumimd.api.schemas import VisitId
from lumimd.api.security import whole_or_broken_off
from lumimd.api.services import RequestServices
from lumimd.domain.codes import ProblemCode as P
from lumimd.pipeline.erase import erase, note_erasure
from lumimd.policies.time_budgets import ERASURE_IN_REQUEST

router = signed_in_router("me")


@router.get("/me", responses=may_answer())
async def read_me(user: CurrentUser, services: RequestServices) -> Me:
    """Read your user id, tier and preferences."""
    profile = await services.owner_queries.profile(user.user_id)
    return Me(
        user_id=user.user_id,
        is_admin=user.is_admin,
        tier=in_force(services, profile),
        preferences=profile.preferences,
    )


@router.get("/me/usage", responses=may_answer())
async def read_usage(user: CurrentUser, services: RequestServices) -> UsageView:
    """Read your usage this month, and what remains of each limit."""
    since = _month_of(services.clock.now())
    profile = await services.owner_queries.profile(user.user_id)
    used = await services.owner_queries.used(user.user_id, since)
    tier = in_force(services, profile)
    limits = await services.limits.usage(user.user_id, tier)
    return UsageView(
        tier=tier,
        since=since,
        visits=used.visits,
        audio_seconds=used.audio_seconds,
        limits=tuple(LimitView.of(name, usage) for name, usage in limits.items()),
    )


@router.get(
    "/me/export",
    response_class=StreamingResponse,
    responses={
        **may_answer(P.RATE_LIMITED),
        200: {
            "description": (
                "A zip archive; without `manifest.json` it is not whole. `nextCursor` in the "
                "manifest leads to the next part, and is null in the last one."
            ),
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
    },
)
async def export_everything(
    user: CurrentUser, services: RequestServices, _limit: OnDemand, cursor: Cursor = None
) -> StreamingResponse:
    """Export all your data: visits, transcripts, summaries, action items, history, ledger.

    The export comes in parts, newest visits first. Request a part again if it is incomplete.
    """
    pieces = part(services, user.user_id, place_of_cursor(cursor))
    # Raises if the part cannot begin, so that the response is a problem.
    first = await anext(pieces)
    return StreamingResponse(
        whole_or_broken_off(first, pieces),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="lumimd-export.zip"'},
    )


@router.delete("/me", status_code=202, responses=may_answer(P.RATE_LIMITED))
async def delete_everything(
    user: CurrentUser, services: RequestServices, _limit: Expensive
) -> Erased:
    """Delete all your data. Your sign-in stays, because Firebase manages it.

    The counts of used-up limits are kept, under a pseudonym, until the limits are restored.
    """
    # Before the deletion receipt: only this request can repeat these, and the receipt promises a
    # full erasure.
    await services.idempotency.forget(user.user_id)
    await services.admission.forget(user.user_id)
    await services.owner_queries.forget(user.user_id)
    await note_erasure(services, user.user_id)
    done = await erase(
        services, user.user_id, services.clock.now() + ERASURE_IN_REQUEST, asked=True
    )
    return Erased(
        deleted_visits=tuple(done.deleted),
        kept_for_legal_reasons=tuple(done.held),
        complete=done.is_complete,
    )


@router.get("/deletions/{visitId}", responses=may_answer(P.NOT_FOUND))
async def read_deletion(
    visit_id: VisitId, user: CurrentUser, services: RequestServices
) -> DeletionView:
    """Read the deletion receipt of a visit that you deleted."""
    found = await services.deletions.get(visit_id)
    if found is None or found[0].user_id != user.user_id:
        raise Problem(P.NOT_FOUND)
    return DeletionView.of(found[0])


def _month_of(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
