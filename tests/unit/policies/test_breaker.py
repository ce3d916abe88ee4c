"""Test the pure state machine of the circuit breaker."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lumimd.policies import breaker as pure
from lumimd.policies.breaker import MODEL, Breaker, Reason, State
from tests.support.examples import examples
from tests.support.services import START

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "end",
    [
        lambda breaker, now: pure.probe_answered(breaker, "slow", now, MODEL),
        lambda breaker, now: pure.probe_failed(breaker, "slow", Reason.PROBE_FAILED, now),
        lambda breaker, now: pure.probe_given_up(breaker, "slow"),
    ],
)
def test_the_outcome_of_a_replaced_probe_changes_nothing(
    end: Callable[[Breaker, datetime], Breaker],
) -> None:
    later = START + MODEL.pause
    breaker = pure.opened(Breaker(name="model"), None, Reason.SLOW, START)
    breaker = pure.probing(breaker, "slow", later, MODEL)
    later += MODEL.probe_for
    replaced = pure.probing(breaker, "next", later, MODEL)
    assert replaced.is_probed_by("next")
    assert end(replaced, later) is replaced


class PureMachine(RuleBasedStateMachine):
    """Checks the invariants under any sequence of calls and outcomes."""

    holders = st.sampled_from(["a", "b", "c"])

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(name="model")
        self.now = START
        self.calling: dict[str, datetime] = {}
        """The lease expiry of each unfinished probe, by holder."""
        self.since_opening: list[bool] = []
        self.opened_at: datetime | None = None

    @rule(seconds=st.sampled_from([0, 1, 59, 60, 61, 239, 240, 300]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(reason=st.sampled_from(Reason), is_stale=st.booleans())
    def an_instance_opens_the_breaker(self, reason: Reason, is_stale: bool) -> None:
        since = START - SECOND if is_stale else self.breaker.changed_at
        after = pure.opened(self.breaker, since, reason, self.now)
        assert (after is self.breaker) == (is_stale or not self.breaker.is_closed)
        self._become(after)

    @rule(holder=holders)
    def a_caller_asks_for_the_probe(self, holder: str) -> None:
        if holder in self.calling:
            return
        before = self.breaker
        self._become(pure.probing(before, holder, self.now, MODEL))
        if self.breaker is before:
            wait = pure.ask_again_in(before, self.now, MODEL)
            assert before.is_closed or timedelta(0) < wait <= MODEL.pause
        else:
            assert self.opened_at is not None
            assert self.now - self.opened_at >= MODEL.pause
            assert all(until <= self.now for until in self.calling.values())
            self.calling[holder] = self.now + MODEL.probe_for

    @precondition(lambda self: self.calling)
    @rule(data=st.data(), end=st.sampled_from(["answered", "failed", "given up"]))
    def a_call_ends(self, data: st.DataObject, end: str) -> None:
        holder = data.draw(st.sampled_from(sorted(self.calling)))
        del self.calling[holder]
        before = self.breaker
        counts = before.is_probed_by(holder)
        if end == "answered":
            after = pure.probe_answered(before, holder, self.now, MODEL)
        elif end == "failed":
            after = pure.probe_failed(before, holder, Reason.PROBE_FAILED, self.now)
        else:
            after = pure.probe_given_up(before, holder)
        assert counts == (after is not before)
        if counts and end != "given up":
            self.since_opening.append(end == "answered")
        self._become(after)

    def _become(self, after: Breaker) -> None:
        before, self.breaker = self.breaker, after
        assert (after.changed_at != before.changed_at) <= (after is not before)
        if after.state is before.state:
            return
        assert after.changed_at == self.now
        assert (before.state, after.state) in {
            (State.CLOSED, State.OPEN),
            (State.OPEN, State.HALF_OPEN),
            (State.HALF_OPEN, State.OPEN),
            (State.HALF_OPEN, State.CLOSED),
        }
        if after.state is State.CLOSED:
            assert self.since_opening == [True, True]
        if after.state is State.OPEN:
            self.opened_at, self.since_opening = self.now, []

    @invariant()
    def the_document_is_consistent(self) -> None:
        breaker = self.breaker
        assert (breaker.opened_at is None) == breaker.is_closed
        assert breaker.probe is None or breaker.state is State.HALF_OPEN
        assert breaker.successes in ((0, 1) if breaker.state is State.HALF_OPEN else (0,))
        assert Breaker.from_stored(breaker.to_stored()) == breaker

    @invariant()
    def a_probe_is_always_possible_later(self) -> None:
        later = self.now + max(MODEL.pause, MODEL.probe_for)
        is_probing = pure.probing(self.breaker, "d", later, MODEL).is_probed_by("d")
        assert self.breaker.is_closed or is_probing


PureMachine.TestCase.settings = settings(
    max_examples=examples(100), stateful_step_count=40, deadline=None
)
TestPureMachine = PureMachine.TestCase
