"""Checks that each owner's request that was answered with 200 takes effect and lasts."""

from lumimd.domain.codes import ErrorCode
from lumimd.domain.visit import ProcessingStatus, Visit
from tests.simulation.phones import Ask, Phones
from tests.simulation.world import World


class Promises:
    """Watches the responses to owners."""

    def __init__(self, world: World, phones: Phones) -> None:
        self._world, self._phones = world, phones
        phones.on_promised = self._at_answer

    def _at_answer(self, ask: Ask) -> None:
        documents = self._world.documents
        if ask.action == "delete":
            if ask.visit_id not in documents.receipts or ask.visit_id in documents.visits:
                self._ignored(ask, "it is there")
            return
        stored = documents.get(ask.visit_id)
        if stored is None or ask.before is None:
            return
        visit, before = stored.visit, ask.before
        if ask.action in ("retry", "regenerate") and visit.attempt <= before.attempt:
            self._ignored(ask, f"attempt {visit.attempt}")
        if ask.action == "give_consent" and visit.consent is None:
            self._ignored(ask, "there is none")
        # A first recording restarts a cancelled visit in the same attempt.
        goes_on = visit.attempt == before.attempt and before.audio is not None
        if ask.action == "cancel" and goes_on and not visit.processing_status.is_terminal:
            self._ignored(ask, f"it is {visit.processing_status}")

    def _ignored(self, ask: Ask, detail: str) -> None:
        self._world.breach(f"{ask.action}Ignored", ask.visit_id, detail)

    def at_the_end(self, visit: Visit) -> None:
        """Check the title and the consent of a finished visit."""
        self.check_title(visit)
        error = visit.processing_error
        if (
            self._phones.was_promised(visit.visit_id, "give_consent")
            and not visit.legal_hold  # the recording waits for the release of the legal hold
            and visit.processing_status is ProcessingStatus.FAILED
            and error is not None
            and error.code is ErrorCode.CONSENT_MISSING
        ):
            self._world.breach("give_consentIgnored", visit.visit_id, "still missing")

    def check_title(self, visit: Visit) -> None:
        """Check that the title is the last title given, or either of two concurrent titles."""
        asks = self._phones.asked(visit.visit_id, "change")
        latest = max((ask.asked_at for ask in asks if ask.answered_at is not None), default=-1.0)
        allowed = {
            ask.fields["title"]
            for ask in asks
            if ask.answered_at is None or ask.answered_at >= latest
        }
        if latest < 0:
            allowed.add(None)
        if visit.title not in allowed:
            self._world.breach("ownersEditLost", visit.visit_id, str(visit.title))
