"""Visits: create, list, read, change, delete."""

from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from lumimd.api.account_views import DeletionView
from lumimd.api.idempotency import new_id
from lumimd.api.identity import CurrentUser
from lumimd.api.limits import Expensive, Write, may_be_urgent
from lumimd.api.listing import Page, Paged
from lumimd.api.ownership import OwnVisit
from lumimd.api.problems import Problem
from lumimd.api.routing import OF_A_POST, may_answer, signed_in_router
from lumimd.api.schemas import Announced, NewVisit, VisitChange
from lumimd.api.services import ApiServices, RequestServices
from lumimd.api.views import (
    ActionsView,
    ActionView,
    HistoryView,
    NewVisitView,
    Progress,
    TranscriptView,
    VisitCard,
    VisitView,
)
from lumimd.domain.codes import ProblemCode as P
from lumimd.domain.takes import takes_of
from lumimd.domain.visit_groups import Group
from lumimd.pipeline import commands
from lumimd.ports.uploads import recording_path
from lumimd.stores.owner_queries import ListPosition

router = signed_in_router("visits")

_RUNS: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": VisitView, "description": "It is being processed; ask again."}
}


@router.post("/visits", status_code=201, responses=may_answer(*OF_A_POST, P.URGENT_NOT_INCLUDED))
async def create_visit(
    new: NewVisit, request: Request, user: CurrentUser, services: RequestServices, _limit: Expensive
) -> NewVisitView:
    """Create a visit and return where to upload its recording. The upload starts processing."""
    visit_id = new_id(request)
    # A repeated request is counted once.
    if new.urgent and await services.store.get(visit_id) is None:
        await may_be_urgent(services, user)
    return await created(
        services,
        request,
        user.user_id,
        new,
        visit_id=visit_id,
        consent=new.consent,
        batch_id=new.batch_id,
        urgent=new.urgent,
    )


async def created(
    services: ApiServices,
    request: Request,
    user_id: str,
    new: Announced,
    *,
    visit_id: str,
    consent: bool,
    batch_id: str | None,
    urgent: bool = False,
) -> NewVisitView:
    """Return a new visit, or the visit that an earlier request under the same key created.

    Other users can predict an id that is derived from a key, and clients that write to Firestore
    choose ids. So if this id belongs to another user, the request is refused, and the caller must
    use another key.
    """
    earlier = await services.store.get(visit_id)
    if earlier is not None:
        visit = earlier.visit
        if visit.user_id != user_id:
            raise Problem(P.IDEMPOTENCY_KEY_REUSED)
    else:
        visit = await commands.create(
            services,
            visit_id=visit_id,
            user_id=user_id,
            title=new.title,
            consent=consent,
            tags=tuple(new.tags),
            batch_id=batch_id,
            urgent=urgent,
        )
    path = recording_path(user_id, visit_id, new.content_type)
    upload = await services.uploads.place(path, new.content_type, request.headers.get("origin"))
    return NewVisitView(visit=VisitCard.of(visit), upload=upload)


@router.get("/visits", responses=may_answer())
async def list_visits(
    user: CurrentUser,
    services: RequestServices,
    paging: Paged,
    group: Annotated[
        Group | None, Query(description="One group; without it, all visits that are not archived.")
    ] = None,
    include_archived: Annotated[
        bool, Query(alias="includeArchived", description="Without `group`: archived ones as well.")
    ] = False,
) -> Page[VisitCard]:
    """List your visits, newest first. Archived visits are listed only on request."""
    found = await services.owner_queries.visits(
        user.user_id,
        limit=paging.limit + 1,
        group=group,
        after=paging.after,
        leave_out_archived=group is None and not include_archived,
    )
    return paging.page(found.items, lambda v: ListPosition(v.created_at, v.visit_id), VisitCard.of)


@router.get("/visits/{visitId}", responses={**may_answer(P.NOT_FOUND), **_RUNS})
async def read_visit(visit: OwnVisit, response: Response) -> VisitView:
    """Read one visit with its summary.

    The status is 202 while the visit is being processed, and 200 at its end. A failed visit is a
    200 too, because the request succeeded; `processingError` says why the visit failed.
    """
    if not visit.processing_status.is_terminal:
        response.status_code = 202
    return VisitView.of(visit)


@router.get("/visits/{visitId}/status", responses=may_answer(P.NOT_FOUND))
async def read_status(visit: OwnVisit, services: RequestServices) -> Progress:
    """Read the progress of a visit, and its estimated remaining time."""
    return Progress.of(visit, services.clock.now(), await services.admission.position(visit))


@router.get("/visits/{visitId}/transcript", responses=may_answer(P.NOT_FOUND, P.NO_TRANSCRIPT))
async def read_transcript(visit: OwnVisit, services: RequestServices) -> TranscriptView:
    """Read the utterances of a visit. The status is 409 while there is no transcript yet."""
    if not visit.has_transcript:
        raise Problem(P.NO_TRANSCRIPT)
    jobs = [take.transcription for take in takes_of(visit)]
    return TranscriptView(
        visit_id=visit.visit_id,
        language_code=jobs[-1].language_code,
        utterances=await services.store.transcript(visit.visit_id),
    )


@router.get("/visits/{visitId}/history", responses=may_answer(P.NOT_FOUND))
async def read_history(visit: OwnVisit, services: RequestServices) -> HistoryView:
    """Read the history of a visit, oldest first."""
    return HistoryView(
        visit_id=visit.visit_id, entries=await services.store.history(visit.visit_id)
    )


@router.get("/visits/{visitId}/actions", responses=may_answer(P.NOT_FOUND))
async def read_actions(visit: OwnVisit, services: RequestServices) -> ActionsView:
    """List the action items of a visit, in the order of its summary."""
    places = {action_id: place for place, action_id in enumerate(visit.action_ids)}
    actions = sorted(  # action items that the owner added come last
        await services.store.actions(visit.visit_id),
        key=lambda action: (places.get(action.action_id, len(places)), action.created_at),
    )
    return ActionsView(visit_id=visit.visit_id, actions=tuple(map(ActionView.of, actions)))


@router.patch(
    "/visits/{visitId}",
    responses=may_answer(
        *(P.NOT_FOUND, P.BODY_TOO_LARGE, P.CHANGED_MEANWHILE, P.LEGAL_HOLD, P.RATE_LIMITED)
    ),
)
async def change_visit(
    visit: OwnVisit, change: VisitChange, services: RequestServices, _limit: Write
) -> VisitView:
    """Change the title or the tags, or whether the visit is archived.

    Fields that are left out stay unchanged.
    """
    changes = change.changes()
    if "tags" in changes:
        changes["tags"] = tuple(change.tags)
    changed = await commands.change(services, visit.visit_id, **changes) if changes else visit
    return VisitView.of(changed)


@router.delete(
    "/visits/{visitId}",
    status_code=202,
    responses=may_answer(P.NOT_FOUND, P.LEGAL_HOLD, P.RATE_LIMITED),
)
async def delete_visit(visit: OwnVisit, services: RequestServices, _limit: Write) -> DeletionView:
    """Delete a visit permanently, even during processing.

    The deletion receipt counts the deleted documents.
    """
    await services.idempotency.forget(visit.user_id, naming=visit.visit_id)
    return DeletionView.of(await commands.delete(services, visit.visit_id))
