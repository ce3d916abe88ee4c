"""`scripts/summarize` makes the documents of a visit from a transcript file, offline.

It runs the code of the pipeline.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.offline.services import ScriptedModel
from infra.local.offline.summarize import main, summarized
from lumimd.domain.errors import BadAnswer
from tests.support.services import DIALOGUE, MemoryServices, transcribed, transcript
from tests.support.summaries import summary_of
from tests.support.visits import run_tasks, visit_of

GOOD = json.dumps(summary_of(transcript()).to_stored())
SAID_BY_RULES = "I have had a cough for two weeks, doctor."


@pytest.fixture
def visit(tmp_path: Path) -> str:
    file = tmp_path / "visit.txt"
    file.write_text("\n".join(f"{speaker}: {text}" for speaker, text in DIALOGUE))
    return str(file)


def written(tmp_path: Path, *answers: str) -> list[str]:
    """Write these scripted model answers to files; return the arguments that name them."""
    arguments = []
    for number, answer in enumerate(answers):
        file = tmp_path / f"answer-{number}.json"
        file.write_text(answer)
        arguments += ["--model-answer", str(file)]
    return arguments


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    documents: dict[str, Any] = json.loads(capsys.readouterr().out)
    return documents


def test_the_summarize_command_prints_the_summary(
    visit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([visit]) == 0
    shown = capsys.readouterr().out
    assert "completed" in shown
    assert SAID_BY_RULES in " ".join(shown.split())


def test_the_json_output_has_the_documents_in_the_form_that_clients_read(
    visit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = made(capsys, visit)
    assert set(documents) == {"visit", "transcript", "actions", "history"}
    assert (documents["visit"]["status"], documents["visit"]["source"]) == ("completed", "rules")
    assert [each["id"] for each in documents["transcript"]] == ["u1", "u2", "u3", "u4"]
    roles = [each["role"] for each in documents["transcript"]]
    assert roles == ["clinician", "patient", "clinician", "patient"]
    (started,) = documents["visit"]["medications"]["started"]
    assert (started["name"], started["evidence"]) == ("amoxicillin", ["u3"])


async def test_the_summarize_command_and_the_pipeline_summarize_the_same_words_equally() -> None:
    services = MemoryServices()
    await transcribed(services)
    services.summarizer = services.fallback  # type: ignore[assignment]
    await run_tasks(services)
    there = await visit_of(services)
    here = (await summarized(transcript(), "visit-1", "visit")).visit
    results = ("status", "source", "provisional", "summary", "diagnoses", "medications")
    assert [getattr(here, name) for name in results] == [getattr(there, name) for name in results]


NULL = json.dumps({**json.loads(GOOD), "imaging": None, "education": None})
ONE_BAD = json.dumps({**json.loads(GOOD), "education": [{"text": "Rest.", "evidence": ["u99"]}]})
OTHER_IDS = GOOD.replace('"u1"', '" U1 "')


@pytest.mark.parametrize(
    ("answers", "source", "paid"),
    [
        ([GOOD], "model", 1),
        ([f"```json\n{GOOD}\n```"], "model", 1),
        ([GOOD + GOOD], "model", 1),
        ([f"{GOOD}\nThat is all."], "model", 1),
        ([NULL], "model", 1),
        ([OTHER_IDS], "model", 1),
        (['{"summary": [{"text": "A cough.", "evidence": ["u2"]}]}'], "model", 1),
        ([" ", GOOD], "model", 2),
        ([GOOD[:-20], GOOD], "model", 2),
        ([ONE_BAD, GOOD], "model", 2),
        ([ONE_BAD], "model", 2),
        ([" "], "rules", 2),
        (["{}"], "rules", 2),
        (["", GOOD[:50], GOOD], "rules", 2),
        (["null"], "rules", 2),
    ],
)
def test_a_scripted_answer_is_processed_like_that_of_a_model(
    visit: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answers: list[str],
    source: str,
    paid: int,
) -> None:
    shown = made(capsys, visit, *written(tmp_path, *answers))["visit"]
    assert (shown["status"], shown["source"], shown["provisional"]) == ("completed", source, False)
    assert shown["processingError"] is None
    assert shown["ledger"]["summaries"] == paid
    assert shown["education"] == []


async def test_scripted_answers_are_used_in_order_and_the_last_one_repeats() -> None:
    model = ScriptedModel([" ", GOOD])
    with pytest.raises(BadAnswer):
        await model.summarize(transcript())
    assert await model.summarize(transcript()) == await model.summarize(transcript())


@pytest.mark.parametrize("content", ["", " \n", '{"utterances": []}'])
def test_a_transcript_without_content_fails_with_no_speech(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    file = tmp_path / "silent.txt"
    file.write_text(content)
    shown = made(capsys, str(file))["visit"]
    assert (shown["status"], shown["processingError"]["code"]) == ("failed", "no_speech")


def test_several_files_print_one_json_document_per_line_in_order(
    visit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"utterances": [{"speaker": "A", "text": "Two\\nlines \\u2028 here."}]}')
    assert main(["--json", visit, str(other), visit]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]
    assert [each["visit"]["title"] for each in lines] == ["visit.txt", "other.json", "visit.txt"]
    assert [len(each["transcript"]) for each in lines] == [4, 1, 4]


def test_the_error_names_a_bad_file_and_the_other_files_are_still_processed(
    visit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, missing = tmp_path / "bad [x].json", tmp_path / "missing.txt"
    bad.write_text("{canary")
    assert main(["--json", str(bad), visit, str(missing), visit]) == 1
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 2
    errors = printed.err.splitlines()
    assert [line.rpartition(": ")[0] for line in errors] == [str(bad), str(missing)]
    assert "canary" not in printed.err


def test_the_error_names_a_missing_answer_file(
    visit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.json")
    assert main([visit, "--model-answer", missing]) == 1
    assert missing in capsys.readouterr().err
