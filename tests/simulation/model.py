"""Stubs the model, which bills each answer, and the rule-based summarizer, which is free."""

from dataclasses import dataclass
from hashlib import sha256

from lumimd.domain.clinical import Source, Statement, VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import BadAnswer, Permanent
from lumimd.domain.transcript import Transcript
from lumimd.policies import breaker as breaker_state
from lumimd.policies import retry
from tests.simulation.breakers import Breakers
from tests.simulation.faults import Dependency
from tests.simulation.invocation import Invocation, current
from tests.simulation.words import heard_in, label, spoken_of, summary_of
from tests.simulation.world import World

INVENTED = Statement(text="No such statement.", evidence=["u99"])


@dataclass
class Answer:
    """An answer of the model, which is billed even if the caller never receives it."""

    visit_id: str
    generation: int
    attempt: int
    summary: VisitSummary | BadAnswer
    invocation: Invocation
    faults_before: int
    is_probe: bool
    was_heard: bool = False

    @property
    def is_bad(self) -> bool:
        """Whether the answer failed or cites an utterance that does not exist."""
        return isinstance(self.summary, BadAnswer) or bool(self.summary.education)

    def heard(self) -> "Answer":
        """Note that the caller got the answer, and return it."""
        self.was_heard = True
        return self


class Model:
    """A stub of the provider of summaries."""

    source: Source = "model"

    def __init__(self, world: World, breakers: "Breakers") -> None:
        self._world = world
        self.breakers = breakers
        self.answers: list[Answer] = []

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        visit_id, generation, _ = spoken_of(transcript.utterances[0].text)
        invocation = current.get()
        stored = self._world.documents.get(visit_id)
        attempt = invocation.attempt or (stored.visit.attempt if stored else 0)

        def effect() -> Answer:
            made: VisitSummary | BadAnswer = summary_of(transcript, attempt)
            if self._world.faults.chance("bad_answer"):
                made = self._world.rng.choice(
                    (
                        BadAnswer(ErrorCode.SUMMARY_TRUNCATED),
                        BadAnswer(ErrorCode.SUMMARY_INVALID),
                        BadAnswer(ErrorCode.SUMMARY_REFUSED, may_get_better=False),
                        made.model_copy(update={"education": [INVENTED]}),
                    )
                )
            hits = invocation.hits(visit_id)
            breaker = self.breakers.kept.get(breaker_state.MODEL.name)
            is_probe = breaker is not None and not breaker[0].is_closed
            answer = Answer(visit_id, generation, attempt, made, invocation, hits, is_probe)
            self.answers.append(answer)
            return answer

        answer = await self._world.call(
            Dependency.MODEL,
            "summarize",
            effect,
            retry.MODEL,
            visit_id=visit_id,
            takes_s=self._world.rng.choice((1.0, 8.0, 25.0)) * (0.5 + self._world.rng.random()),
        )
        if isinstance(answer.summary, BadAnswer):
            raise answer.summary
        return answer.summary


class Rules:
    """A stub of the summarizer of rule-based summaries, which needs no model and is free."""

    source: Source = "rules"

    def __init__(self, world: World) -> None:
        self._world = world

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        if not transcript.utterances:  # the visit was deleted a moment ago
            raise Permanent(ErrorCode.SUMMARY_INVALID)
        heard = heard_in(transcript.utterances)
        visit_id, generations = heard[0][0], label(each for _, each in heard)
        if self.has_nothing_to_say(visit_id, generations):
            self._world.faults.injected["nothing_to_say"] += 1
            raise Permanent(ErrorCode.SUMMARY_INVALID)
        return summary_of(transcript, 0)

    def has_nothing_to_say(self, visit_id: str, generations: str) -> bool:
        """Whether the rules find nothing in these recordings; the same recordings give the same."""
        digest = sha256(f"{self._world.seed}/{visit_id}/{generations}".encode()).digest()
        share: float = self._world.options.level.nothing_to_say
        return digest[0] < 256 * share
