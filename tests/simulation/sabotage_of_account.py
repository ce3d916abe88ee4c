"""Guards for visits that wait for an operator, and for jobs and visits that are given up."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain.audio import Audio
from lumimd.domain.errors import DeploymentFault, Permanent, ProviderRefuses, RefusedAlone
from lumimd.domain.visit import Visit
from lumimd.pipeline import collect, recover, submit, without_model
from lumimd.policies import breaker, breaker_suspects, due, job_limit, waiting
from tests.simulation.guard import Guard, put
from tests.simulation.transcription import Transcriptions


def _ignore_fault(visit: Visit, began_at: Any) -> Any:
    return began_at


def _treat_as_outage(error: BaseException | None) -> bool:
    return False


_submit = Transcriptions.submit
_fetch = Transcriptions.fetch
_find = Transcriptions.find


async def _refused_for_good(self: Transcriptions, *args: Any, **more: Any) -> str:
    """Submit like an adapter that takes every 4xx error response for a fault of the recording."""
    try:
        return await _submit(self, *args, **more)
    except ProviderRefuses as error:
        raise Permanent(error.code) from error


async def _poll_refused_for_good(self: Transcriptions, transcript_id: str) -> Any:
    try:
        return await _fetch(self, transcript_id)
    except ProviderRefuses as error:
        raise Permanent(error.code) from error


async def _found_again(self: Transcriptions, audio: Audio, without: Any = ()) -> str | None:
    return await _find(self, audio)


def _open_at_first_refusal(known: Any, subject: str, now: Any) -> Any:
    fault = DeploymentFault.REQUEST_REFUSED
    reason = breaker.Reason.REFUSED
    return breaker.opened(known, known.changed_at, reason, now, fault)


_held = submit._held


def _hold_for_ever(services: Any, visit: Visit, error: Any, **more: Any) -> Any:
    if isinstance(error, RefusedAlone):
        error = ProviderRefuses(error.code, DeploymentFault.REQUEST_REFUSED)
    return _held(services, visit, error, **more)


ACCOUNT: Final[Mapping[str, Guard]] = {
    "refused-orders-are-held": Guard(
        "a wrong key does not fail the recording of an order",
        put((Transcriptions, "submit", _refused_for_good)),
        level="unpaid",
    ),
    "refused-polls-are-held": Guard(
        "a wrong key does not fail a running job",
        put((Transcriptions, "fetch", _poll_refused_for_good)),
        level="unpaid",
    ),
    "faults-are-no-outage": Guard(
        "a deployment fault uses up none of a visit's time",
        put(
            *(
                (module, "is_fault", _treat_as_outage)
                for module in (collect, without_model, submit, recover, waiting)
            )
        ),
        level="unpaid",
    ),
    "times-count-from-the-fault": Guard(
        "after a fault of days a visit has its full time again",
        put(
            *(
                (module, "since_fault", _ignore_fault)
                for module in (waiting, due, job_limit, submit, recover)
            )
        ),
        level="unpaid",
    ),
    "given-up-jobs-are-not-adopted": Guard(
        "a hanging job is replaced, and not adopted again",
        put((Transcriptions, "find", _found_again)),
        level="hung",
    ),
    "one-odd-visit-opens-nothing": Guard(
        "a single refused visit does not open the breaker for all others",
        put((breaker_suspects, "refused", _open_at_first_refusal)),
        level="odd",
    ),
    "an-odd-visit-ends": Guard(
        "a single refused visit fails in the end",
        put((submit, "_held", _hold_for_ever)),
        level="odd",
    ),
}
