"""Output, confirmations and exit codes of `scripts/ops` on in-memory services."""

from datetime import timedelta

import pytest

from infra.ops.cli import main, parser
from infra.ops.exits import FAILED, OK, USAGE
from lumimd.domain.dead_letter import LetterState
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import commands
from lumimd.policies.breaker import Breaker, State
from lumimd.stores.operator_store import AuditFilter
from tests.operations.conftest import Ops
from tests.support.operators import CANARY, QUEUE, SCHEDULE, OperatedServices


async def visits_of_every_kind(services: OperatedServices) -> None:
    await services.completed("good")
    await services.partial("no-summary")
    await services.unreadable("noise")
    await services.submitted("hanging")
    for visit_id in ("good", "no-summary", "noise", "hanging"):
        await commands.change(services, visit_id, title=f"{CANARY} visit", tags=(CANARY,))
    services.clock.advance(timedelta(hours=1))


async def test_visits_are_listed_and_filtered(services: OperatedServices, ops: Ops) -> None:
    await visits_of_every_kind(services)

    async def ids(*arguments: str) -> set[str]:
        ended = await ops("visits", "--json", *arguments)
        assert ended.code == OK
        return {visit["visitId"] for visit in ended.json["visits"]}

    assert await ids() == {"good", "no-summary", "noise", "hanging"}
    assert await ids("--failed") == {"no-summary", "noise"}
    assert await ids("--stuck") == {"hanging"}
    assert await ids("--user", "other-user") == set()
    assert await ids("--high-retry", "1") == set()
    assert len(await ids("--limit", "2")) == 2
    shown = await ops("visits")
    for visit_id in ("good", "no-summary", "noise", "hanging"):
        assert visit_id in shown.out
    assert "transcribing, stuck" in shown.out
    assert "audio_unreadable" in shown.out


@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_no_output_has_text_of_a_visit(
    form: tuple[str, ...], services: OperatedServices, ops: Ops
) -> None:
    await visits_of_every_kind(services)
    for command in (
        ("visits",),
        ("visits", "--stuck"),
        ("visits", "--failed"),
        ("show", "good"),
        ("show", "no-summary"),
        ("dead-letters",),
        ("stats",),
        ("costs",),
        ("doctor",),
        ("queues",),
        ("audit",),
        ("retry", "no-summary", "--yes"),
        ("discard", "noise", "--reason", "only noise", "--yes"),
        ("bulk-retry", "--yes"),
        ("delete", "good", "--yes"),
        ("audit",),
    ):
        ended = await ops(*command, *form)
        assert CANARY not in ended.out + ended.told, command


async def test_show_prints_the_stages_of_a_visit_and_advises_commands(
    services: OperatedServices, ops: Ops
) -> None:
    await visits_of_every_kind(services)
    shown = await ops("show", "no-summary")
    assert shown.code == OK
    for stage in ("submission", "transcription", "summary"):
        assert stage in shown.out
    assert "summary_failed (summary_invalid)" in shown.out
    assert "retry no-summary" in shown.out
    as_json = (await ops("show", "no-summary", "--json")).json
    assert [run["outcome"] for run in as_json["runs"]] == ["done", "done", "failed"]


async def test_showing_a_visit_adds_an_entry_to_the_audit_log(
    services: OperatedServices, ops: Ops
) -> None:
    await services.completed("good")
    await ops("show", "good")
    (entry,) = await services.operators.audit(AuditFilter(target="good"), 10)
    assert (entry.actor, entry.action) == ("olga", "read_timeline")
    assert "read timeline" in (await ops("audit", "--of", "good")).out


@pytest.mark.parametrize(
    "command",
    [
        ("retry", "no-summary"),
        ("rerun", "good", "--from", "summary"),
        ("rerun", "good", "--from", "submission"),
        ("bulk-retry",),
        ("discard", "noise", "--reason", "only noise"),
        ("delete", "good"),
        ("hold", "good", "--reason", "case 17"),
        ("urgent", "hanging"),
        ("release", "good", "--reason", "case 17"),
        ("queues", "pause", QUEUE),
        ("queues", "resume", QUEUE),
        ("schedule", "run", SCHEDULE),
        ("schedule", "pause", SCHEDULE),
        ("schedule", "resume", SCHEDULE),
        ("breakers", "reset", "model"),
    ],
)
async def test_a_change_without_yes_and_without_a_terminal_is_refused(
    command: tuple[str, ...], services: OperatedServices, ops: Ops
) -> None:
    await visits_of_every_kind(services)
    before = services.store.documents()
    ended = await ops(*command)
    assert ended.code == USAGE
    assert "--yes" in ended.told
    assert services.store.documents() == before
    assert services.schedules.runs == []


async def test_the_retry_command_starts_the_failed_stage_again(
    services: OperatedServices, ops: Ops
) -> None:
    await services.partial("v1")
    ended = await ops("--yes", "retry", "v1")
    assert ended.code == OK
    assert "attempt 2, summarizing" in ended.out
    assert (await services.get("v1")).processing_status is ProcessingStatus.SUMMARIZING


async def test_a_refused_retry_names_the_code_and_advises_a_rerun_of_a_readable_recording(
    services: OperatedServices, ops: Ops
) -> None:
    await services.unreadable("noise")
    refused = await ops("retry", "noise", "--yes")
    assert refused.code == FAILED
    assert "audio_unreadable does not go away" in refused.told
    assert "rerun" not in refused.told
    assert "1 of 1 will be refused" in (await ops("bulk-retry", "--yes")).told
    await services.silent("quiet")
    refused = await ops("retry", "quiet", "--yes")
    assert "scripts/ops rerun quiet --from submission" in refused.told


async def test_a_refusal_prints_a_sentence_and_exits_with_1(
    services: OperatedServices, ops: Ops
) -> None:
    await services.completed("v1")
    ended = await ops("retry", "v1", "--yes")
    assert ended.code == FAILED
    assert ended.told == "There is nothing to try again. (nothing_to_retry)\n"
    assert (await ops("show", "missing")).told == "There is no such visit. (visit_not_found)\n"
    assert (await ops("queues", "pause", "nothing", "--yes")).code == FAILED


async def test_dead_letters_are_listed_by_stage_code_and_state(
    services: OperatedServices, ops: Ops
) -> None:
    await visits_of_every_kind(services)

    async def ids(*arguments: str) -> set[str]:
        found = (await ops("dead-letters", "--json", *arguments)).json["deadLetters"]
        return {letter["visitId"] for letter in found}

    assert await ids() == {"no-summary", "noise"}
    assert await ids("--stage", "summary") == {"no-summary"}
    assert await ids("--code", "audio_unreadable") == {"noise"}
    assert await ids("--since", "30m") == set()
    await ops("discard", "noise", "--reason", "only noise", "--yes")
    assert await ids() == {"no-summary"}
    assert await ids("--discarded") == {"noise"}
    assert "only noise" in (await ops("dead-letters", "--discarded")).out


async def test_bulk_retry_prints_a_summary_and_exits_with_1_after_a_refusal(
    services: OperatedServices, ops: Ops
) -> None:
    await services.partial("v1")
    await services.partial("v2")
    ended = await ops("bulk-retry", "--code", "summary_invalid", "--per-minute", "6000", "--yes")
    assert ended.code == OK
    assert "2/2" in ended.told
    await services.unreadable("v3")
    as_json = await ops("bulk-retry", "--json", "--yes")
    assert as_json.code == FAILED
    assert as_json.json["codes"] == {"nothing_to_retry": 1}
    assert (await ops("bulk-retry", "--stage", "transcription", "--yes")).code == OK


async def test_discard_stores_the_reason_and_the_operator(
    services: OperatedServices, ops: Ops
) -> None:
    await services.unreadable("v1")
    assert (await ops("discard", "v1", "--reason", "a test call", "--yes")).code == OK
    found = await services.operators.letter("v1")
    assert found is not None
    assert found.letter.state is LetterState.DISCARDED
    assert (found.letter.discard_reason, found.letter.discarded_by) == ("a test call", "olga")


async def test_the_delete_command_is_refused_for_a_visit_under_legal_hold(
    services: OperatedServices, ops: Ops
) -> None:
    await services.completed("v1")
    assert (await ops("hold", "v1", "--reason", "case 17", "--yes")).code == OK
    refused = await ops("delete", "v1", "--yes")
    assert (refused.code, "legal_hold" in refused.told) == (FAILED, True)
    assert "held" in (await ops("show", "v1")).out
    assert (await ops("release", "v1", "--reason", "closed", "--yes")).code == OK
    assert (await ops("delete", "v1", "--yes")).code == OK


async def test_the_delete_command_prints_a_deletion_receipt(
    services: OperatedServices, ops: Ops
) -> None:
    await services.completed("v1")
    ended = await ops("delete", "v1", "--json", "--yes")
    assert ended.code == OK
    assert ended.json["visitId"] == "v1"
    assert await services.store.get("v1") is None


async def test_queues_schedules_and_breakers_are_shown_and_changed(
    services: OperatedServices, ops: Ops
) -> None:
    await services.breakers.save("breaker-model", None, Breaker(name="model", state=State.OPEN))
    assert (await ops("queues", "--json")).json["queues"][0]["state"] == "running"
    assert "paused" in (await ops("queues", "pause", QUEUE, "--yes")).out
    assert (await ops("queues", "--json")).json["queues"][0]["state"] == "paused"
    assert (await ops("schedule", "run", SCHEDULE, "--yes")).code == OK
    assert services.schedules.runs == [SCHEDULE]
    assert "paused" in (await ops("schedule", "pause", SCHEDULE, "--yes")).out
    assert (await ops("schedule", "list", "--json")).json["schedules"][0]["state"] == "paused"
    assert "open" in (await ops("breakers")).out
    assert (await ops("breakers", "reset", "model", "--yes")).code == OK
    states = {
        each["name"]: each["state"] for each in (await ops("breakers", "--json")).json["breakers"]
    }
    assert states["model"] == "closed"


async def test_the_doctor_exits_with_1_when_there_is_a_problem(
    services: OperatedServices, ops: Ops
) -> None:
    assert (await ops("doctor")).code == OK
    await services.queues.pause(QUEUE)
    ended = await ops("doctor", "--json")
    assert ended.code == FAILED
    assert not ended.json["ok"]


async def test_stats_and_costs_are_printed(services: OperatedServices, ops: Ops) -> None:
    await visits_of_every_kind(services)
    found = (await ops("stats", "--json")).json
    assert found["statistics"]["completed"] == 1
    assert found["failures"]["byCode"] == {"audio_unreadable": 1, "summary_invalid": 1}
    assert "33.3%" in (await ops("stats")).out
    paid = (await ops("costs", "--audio-hour", "1", "--summary", "2", "--json")).json
    assert paid["spent"]["summary"] == 2.0
    assert (await ops("costs", "--json")).json["spent"] is None
    assert (await ops("costs", "--audio-hour", "1")).code == USAGE


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["retry"],
        ["discard", "v1"],
        ["discard", "v1", "--reason", " "],
        ["visits", "--limit", "0"],
        ["bulk-retry", "--per-minute", "0"],
        ["bulk-retry", "--code", "no_such_code"],
        ["stats", "--since", "yesterday"],
        ["--local", "--project", "p", "visits"],
    ],
)
def test_a_usage_error_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == USAGE


def test_without_a_project_or_stack_the_message_names_the_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    assert main(["visits"]) == USAGE
    assert "--project" in capsys.readouterr().err


def test_options_are_accepted_before_and_after_the_command() -> None:
    before = parser().parse_args(["--project", "p", "--json", "--yes", "visits"])
    after = parser().parse_args(["visits", "--project", "p", "--json", "--yes"])
    assert (before.project, before.json, before.yes) == ("p", True, True)
    assert vars(before) == vars(after)


async def test_a_change_of_priority_is_in_the_audit_log(
    services: OperatedServices, ops: Ops
) -> None:
    await services.submitted("v1")
    made = await ops("urgent", "v1", "--json", "--yes")
    assert made.code == OK
    stored = await services.store.get("v1")
    assert stored is not None
    assert stored.visit.urgent
    assert (await ops("urgent", "v1", "--off", "--yes")).code == OK
    stored = await services.store.get("v1")
    assert stored is not None
    assert not stored.visit.urgent
    assert (await ops("urgent", "none", "--yes")).code == FAILED
    audit = (await ops("audit", "--json")).json
    assert {"prioritize", "deprioritize"} <= {entry["action"] for entry in audit["entries"]}
