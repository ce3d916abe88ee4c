"""After a regeneration the owner's changes of action items remain, and old ids still work."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from lumimd.domain.clinical import VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit, Stored
from lumimd.domain.errors import Permanent
from lumimd.domain.transcript import Transcript
from lumimd.operations.operator import Operator
from lumimd.operations.rerun import From, rerun
from lumimd.policies.due import RETRY_GAP
from tests.support.api import Api
from tests.support.services import CountingSummarizer, transcribed
from tests.support.summaries import summary_of
from tests.support.visits import run_tasks


class ScriptedModel:
    """A stub summarizer that returns the given action items, each with the utterance it cites."""

    source = "model"

    def __init__(self, *items: tuple[str, str]) -> None:
        self.items = items

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        summary = summary_of(transcript)
        one = summary.action_items[0]
        items = [one.model_copy(update={"text": t, "evidence": [u]}) for t, u in self.items]
        return summary.model_copy(update={"action_items": items})


FIRST = (("Take amoxicillin three times a day", "u3"), ("Rest", "u2"), ("Call on Monday", "u1"))
AGAIN = (("Rest.", "u2"), ("Start amoxicillin, three times daily", "u3"), ("Drink water", "u1"))


async def summarized(api: Api, *items: tuple[str, str]) -> None:
    api.services.summarizer = ScriptedModel(*items)  # type: ignore[assignment]
    await run_tasks(api.services)


async def begun(api: Api) -> list[str]:
    """Complete a visit and return the ids of its action items in order."""
    await transcribed(api.services)
    await summarized(api, *FIRST)
    return [each["actionId"] for each in await actions(api)]


async def actions(api: Api) -> list[dict[str, Any]]:
    return (await api.get("/v1/visits/visit-1/actions")).json()["actions"]


async def by_owner(api: Api) -> None:
    assert (await api.post("/v1/visits/visit-1/regenerate")).status_code == 202


async def by_operator(api: Api) -> None:
    await rerun(Operator("op-1", api.services), "visit-1", From.SUMMARY)


async def after_a_refusal(api: Api) -> None:
    """The model refuses, so that the old summary stays; then the owner requests a new summary."""
    await by_owner(api)
    api.services.summarizer = CountingSummarizer()
    api.services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    await run_tasks(api.services)
    api.services.clock.advance(RETRY_GAP)
    await by_owner(api)


@pytest.mark.parametrize("again", [by_owner, by_operator, after_a_refusal])
async def test_completed_edited_and_added_items_survive_a_regeneration(
    api: Api, again: Callable[[Api], Awaitable[None]]
) -> None:
    amoxicillin, rest, _ = await begun(api)
    await api.call("PATCH", f"/v1/actions/{amoxicillin}", json={"completed": True})
    await api.call("PATCH", f"/v1/actions/{rest}", json={"text": "Rest until Friday"})
    own = {"visitId": "visit-1", "text": "Walk daily"}
    added = (await api.post("/v1/actions", json=own)).json()["actionId"]
    await again(api)
    await summarized(api, *AGAIN)
    found = [(each["text"], each["completed"]) for each in await actions(api)]
    assert found == [
        ("Rest until Friday", False),
        ("Start amoxicillin, three times daily", True),
        ("Drink water", False),
        ("Walk daily", False),
    ]
    for old, text in ((amoxicillin, found[1][0]), (rest, found[0][0]), (added, "Walk daily")):
        answer = await api.get(f"/v1/actions/{old}")
        assert (answer.status_code, answer.json()["text"]) == (200, text)


async def test_a_replaced_action_item_is_410_for_its_owner_and_404_for_others(api: Api) -> None:
    *_, call = await begun(api)
    await by_owner(api)
    await summarized(api, *AGAIN)
    for method, body in (("GET", None), ("PATCH", {"completed": True}), ("DELETE", None)):
        answer = await api.call(method, f"/v1/actions/{call}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (410, "action_replaced")
        assert answer.json()["detail"].endswith(".")
        theirs = await api.call(method, f"/v1/actions/{call}", "user-2", json=body)
        assert (theirs.status_code, theirs.json()["code"]) == (404, "not_found")


async def test_an_action_item_removed_by_its_owner_is_404_after_a_regeneration(api: Api) -> None:
    first, *_ = await begun(api)
    await api.call("DELETE", f"/v1/actions/{first}")
    await by_owner(api)
    await summarized(api, *AGAIN)
    assert (await api.get(f"/v1/actions/{first}")).status_code == 404


@pytest.mark.parametrize("change", [{"completed": True}, {"text": "Rest until Friday"}])
async def test_an_owners_change_during_the_save_of_a_summary_is_not_lost(
    api: Api, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    items = await begun(api)
    await by_owner(api)
    save, late = api.services.store.save, list(items)

    async def saved_after_the_owner(stored: Stored, commit: Commit) -> Stored:
        if commit.action_versions and late:
            path = f"/v1/actions/{late.pop()}"
            assert (await api.call("PATCH", path, json=change)).status_code == 200
        return await save(stored, commit)

    monkeypatch.setattr(api.services.store, "save", saved_after_the_owner)
    await summarized(api, *AGAIN)
    assert late == []
    for item in items:
        found = (await api.get(f"/v1/actions/{item}")).json()
        assert {name: found[name] for name in change} == change
    visit = await api.services.store.get("visit-1")
    assert visit is not None
    assert visit.visit.summary, "the summary is stored nevertheless"


async def test_after_a_new_transcript_action_items_are_matched_by_their_words(api: Api) -> None:
    amoxicillin, *_ = await begun(api)
    await api.call("PATCH", f"/v1/actions/{amoxicillin}", json={"completed": True})
    stored = await api.services.store.get("visit-1")
    assert stored is not None
    said = await api.services.store.transcript("visit-1")
    moved = Transcript(
        utterances=tuple(each.model_copy(update={"id": f"w{n}"}) for n, each in enumerate(said))
    )
    pages = moved.pages()
    await api.services.store.save(stored, Commit(stored.visit, pages=pages, stale_pages=len(pages)))
    api.services.clock.advance(timedelta(minutes=1))
    await by_owner(api)
    await summarized(api, ("Start amoxicillin, three times daily", "w2"))
    found = {each["actionId"]: each["completed"] for each in await actions(api)}
    assert found == {amoxicillin: True}
