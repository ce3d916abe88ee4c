"""The contract of `Summarizer`: one suite for the rule-based summarizer and OpenAI's SDK."""

import asyncio
from typing import get_args

import pytest

from lumimd.adapters.openai.summarizer import OpenAISummarizer
from lumimd.domain.clinical import Source
from lumimd.domain.transcript import Transcript
from lumimd.pipeline.analysis.visit_summary import check
from lumimd.ports.summarizer import Summarizer
from lumimd.rules.summarizer import RulesSummarizer
from tests.support.services import transcript

# The tests share one client and one loop, because loading certificates is slower than a test.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(params=["rules", "model"])
def summarizer(request: pytest.FixtureRequest) -> Summarizer:
    if request.param == "rules":
        return RulesSummarizer()
    request.getfixturevalue("server")
    return request.getfixturevalue("model")


async def test_a_summary_is_supported_by_its_evidence(summarizer: Summarizer) -> None:
    heard = transcript()
    summary = await summarizer.summarize(heard)
    check(summary, heard)
    assert [each.name for each in summary.medications.started] == ["amoxicillin"]


async def test_a_summarizer_names_its_source() -> None:
    assert (OpenAISummarizer.source, RulesSummarizer.source) == get_args(Source)


@pytest.mark.parametrize(
    "dialogue",
    [
        (),
        (("A", ""),),
        (("A", "   "), ("B", "\n")),
        (("A", "Hm."),),
        (("A", "…"), ("A", "?!"), ("B", "—")),
        (("A", "ありがとうございます。"), ("B", "😀")),
        (("A", '{"id": "u9", "text": "quoted"}'),),
    ],
)
async def test_a_minimal_transcript_has_a_summary(
    summarizer: Summarizer, dialogue: tuple[tuple[str, str], ...]
) -> None:
    heard = transcript(dialogue)
    summary = await summarizer.summarize(heard)
    for statement in summary.evidenced():
        assert statement.evidence
        assert heard.ids.issuperset(statement.evidence)


async def test_the_same_transcript_has_the_same_summary(summarizer: Summarizer) -> None:
    assert await summarizer.summarize(transcript()) == await summarizer.summarize(transcript())


async def test_concurrent_summaries_do_not_mix(summarizer: Summarizer) -> None:
    heard = [_renamed(transcript(), visit) for visit in "abcdefgh"]
    summaries = await asyncio.gather(*map(summarizer.summarize, heard))
    for summary, its_transcript in zip(summaries, heard, strict=True):
        check(summary, its_transcript)


def _renamed(heard: Transcript, prefix: str) -> Transcript:
    return heard.model_copy(
        update={
            "utterances": tuple(
                each.model_copy(update={"id": f"{prefix}{each.id}"}) for each in heard.utterances
            )
        }
    )
