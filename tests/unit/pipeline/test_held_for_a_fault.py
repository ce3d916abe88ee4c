"""Test visits that wait for a dependency because of an account or configuration fault."""

from datetime import timedelta

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, Held, ProviderRefuses, RefusedAlone
from lumimd.domain.state_machine import advance
from lumimd.domain.visit import Lease, Visit
from lumimd.policies.deployment_faults import is_fault, since_fault
from lumimd.policies.waiting import LONGEST_HOLD_FOR_FAULT, RELEASE_OVER, held_until
from tests.support.services import START, upload

LATER = START + timedelta(minutes=5)
FAULT = ProviderRefuses(ErrorCode.TRANSCRIPTION_UNAVAILABLE, DeploymentFault.UNPAID)


def leased(times: int) -> Visit:
    """Return a visit whose leases, except the last, expired without an outcome."""
    visit = Visit(visit_id="v", user_id="u", created_at=START, updated_at=START)
    visit = advance(visit, e.AudioAccepted(None, upload().audio), START).visit
    for number in range(times):
        lease = Lease(holder=f"h{number}", until=START)
        visit = advance(visit, e.SubmissionClaimed(1, lease), START).visit
    return visit


def held(visit: Visit, *, had_lease: bool, for_fault: bool) -> Visit:
    event = e.SubmissionHeld(1, LATER, had_lease=had_lease, for_fault=for_fault)
    return advance(visit, event, START).visit


def test_a_crash_uses_up_a_try_in_an_outage_but_not_during_an_account_fault() -> None:
    """During a fault no job was submitted; in an outage the submission may have succeeded."""
    assert held(leased(1), had_lease=False, for_fault=True).stage_tries == 0
    assert held(leased(1), had_lease=False, for_fault=False).stage_tries == 1
    assert held(leased(3), had_lease=True, for_fault=True).expired_leases == 0
    assert held(leased(4), had_lease=True, for_fault=False).expired_leases == 3


def test_an_account_fault_does_not_reset_three_expired_leases() -> None:
    for expired_leases in range(3, 6):
        assert held(leased(expired_leases + 1), had_lease=True, for_fault=True).expired_leases == 3


def test_a_wait_for_a_fault_keeps_its_start_and_updates_the_time_of_the_fault() -> None:
    visit = held(leased(1), had_lease=True, for_fault=True)
    assert (visit.held_since, visit.fault_at) == (START, START)
    again = e.SubmissionHeld(1, LATER, had_lease=False, for_fault=True)
    visit = advance(visit, again, LATER).visit
    assert (visit.held_since, visit.fault_at) == (START, LATER)
    assert since_fault(visit, START) == LATER
    outage = e.SubmissionHeld(1, LATER, had_lease=False)
    assert advance(visit, outage, LATER + timedelta(days=1)).visit.fault_at == LATER


def test_a_visit_that_waits_for_an_account_fault_is_checked_every_15_minutes() -> None:
    visit = leased(1).model_copy(update={"held_since": START, "fault_at": START})
    for days in (0, 1, 30, 400):
        now = START + timedelta(days=days)
        assert held_until(visit, FAULT, now) - now <= LONGEST_HOLD_FOR_FAULT + RELEASE_OVER
    month = START + timedelta(days=30)
    just_over = visit.model_copy(update={"fault_at": month})
    outage = Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    assert held_until(just_over, outage, month) - month <= RELEASE_OVER
    assert held_until(visit, outage, month) - month > timedelta(days=1)


def test_only_provider_refuses_counts_as_an_account_or_configuration_fault() -> None:
    assert is_fault(FAULT)
    for error in (Held(FAULT.code), RefusedAlone(FAULT.code), None):
        assert not is_fault(error)
