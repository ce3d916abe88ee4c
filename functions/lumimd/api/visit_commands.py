"""Commands of an owner: retry, regenerate the summary, cancel, give consent."""

from lumimd.api.limits import Expensive, OnDemand, Write
from lumimd.api.ownership import OwnVisit
from lumimd.api.routing import OF_A_POST, may_answer, signed_in_router
from lumimd.api.services import ApiServices, RequestServices
from lumimd.api.views import Progress
from lumimd.domain.codes import ProblemCode as P
from lumimd.domain.visit import Visit
from lumimd.pipeline import commands

router = signed_in_router("visits")


@router.post(
    "/visits/{visitId}/retry",
    status_code=202,
    responses=may_answer(
        *OF_A_POST,
        *(P.NOT_FOUND, P.STILL_PROCESSING, P.RETRY_TOO_SOON, P.NOTHING_TO_RETRY, P.LEGAL_HOLD),
    ),
)
async def retry_visit(visit: OwnVisit, services: RequestServices, _limit: Expensive) -> Progress:
    """Retry a failed visit from the stage that failed; `attempt` is the new one."""
    return _progress(services, await commands.retry(services, visit.visit_id))


@router.post(
    "/visits/{visitId}/regenerate",
    status_code=202,
    responses=may_answer(
        *OF_A_POST,
        *(P.NOT_FOUND, P.STILL_PROCESSING, P.RETRY_TOO_SOON, P.NO_TRANSCRIPT, P.ALREADY_OVER),
        P.LEGAL_HOLD,
    ),
)
async def regenerate_summary(
    visit: OwnVisit, services: RequestServices, _limit: OnDemand
) -> Progress:
    """Make another summary of the stored transcript, without another transcription."""
    return _progress(services, await commands.regenerate(services, visit.visit_id))


@router.post(
    "/visits/{visitId}/cancel",
    responses=may_answer(*OF_A_POST, P.NOT_FOUND, P.ALREADY_OVER, P.LEGAL_HOLD),
)
async def cancel_visit(visit: OwnVisit, services: RequestServices, _limit: Write) -> Progress:
    """Stop the work on a visit. No further work on the visit is paid for."""
    return _progress(services, await commands.cancel(services, visit.visit_id))


@router.post("/visits/{visitId}/consent", responses=may_answer(*OF_A_POST, P.NOT_FOUND))
async def give_consent(visit: OwnVisit, services: RequestServices, _limit: Write) -> Progress:
    """Record that the patient agreed. A recording that was waiting for consent is processed."""
    return _progress(services, await commands.give_consent(services, visit.visit_id))


def _progress(services: ApiServices, visit: Visit) -> Progress:
    return Progress.of(visit, services.clock.now())
