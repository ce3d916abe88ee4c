"""Follows a visit on the local stack until it ends or stalls."""

from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.launcher import Stack
from infra.local.stack import Options
from infra.local.stall import Recognition, Signs, until_stalled, waits_untroubled
from infra.local.symptoms import symptoms
from infra.local.visit_documents import VisitDocuments
from lumimd.domain.plurals import times
from lumimd.domain.visit import ProcessingStatus, Visit


class Stalled(Exception):
    """The visit makes no progress; the message lists the failures in the logs."""

    def __init__(self, visit: Visit | None, patience_s: float, failures: list[str]) -> None:
        lines = [f"No progress for {patience_s:g} s: {_state(visit)}"]
        lines += failures or ["The logs contain no failure."]
        super().__init__("\n  ".join(lines))


class Following:
    """Follows one visit on a running stack. The wait ends if a process of the stack dies."""

    def __init__(self, stack: Stack, options: Options, visit_id: str, console: Console) -> None:
        self._stack = stack
        self._options = options
        self._visit_id = visit_id
        self._console = console
        self._visit: Visit | None = None

    async def upload(self, recording: Path, object_name: str) -> None:
        """Upload the recording.

        Raises:
            ProcessDied: a part of the stack has ended.
        """
        await self._stack.while_alive(self._stack.client.upload(recording, object_name))

    async def until_ended(self, patience_s: float) -> VisitDocuments:
        """Show the progress of the visit until its end.

        Raises:
            ProcessDied: a part of the stack has ended.
            Stalled: there was no progress for `patience_s`.
        """
        await self._stack.while_alive(self._until_ended(), self._stalled(patience_s))
        return await self._stack.client.documents(self._visit_id)

    async def _stalled(self, patience_s: float) -> None:
        await until_stalled(self._signs, patience_s)
        raise Stalled(self._visit, patience_s, symptoms(self._stack.run_dir))

    async def _until_ended(self) -> None:
        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
        )
        updates = self._stack.client.watch(self._visit_id)
        with Progress(*columns, console=self._console) as progress:
            bar = progress.add_task("waiting for the event", total=100)
            shown: tuple[int, str] | None = None
            async with aclosing(updates):  # type: ignore[type-var]
                async for visit in updates:
                    self._visit = visit
                    step = visit.current_step.replace("_", " ")
                    progress.update(bar, completed=visit.progress_percent, description=step)
                    if not self._console.is_terminal and shown != (visit.progress_percent, step):
                        self._console.print(f"  {visit.progress_percent:>3} %  {step}")
                    shown = visit.progress_percent, step
                    if visit.processing_status.is_terminal:
                        return

    async def _signs(self) -> Signs:
        visit = self._visit
        if visit is None:
            return Signs()
        return Signs(
            percent=visit.progress_percent,
            recognition=None if self._options.real_speech else await self._recognition(),
            waits_for_provider=self._is_far_away(visit)
            and waits_untroubled(visit, datetime.now(UTC)),
        )

    def _is_far_away(self, visit: Visit) -> bool:
        """Return whether the current stage uses a real provider, and not a local stand-in."""
        summarizing = visit.processing_status is ProcessingStatus.SUMMARIZING
        return self._options.real_model if summarizing else self._options.real_speech

    async def _recognition(self) -> Recognition | None:
        """Read the speech server's work; None while that server is too busy to respond in time."""
        try:
            url = self._stack.plan.url("speech")
            async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
                work = (await http.get("/_local/work")).json()
        except httpx.HTTPError:
            return None
        return Recognition(work["jobs"], work["cpuSeconds"])


def _state(visit: Visit | None) -> str:
    if visit is None:
        return "no function has stored the visit."
    state = f"the visit is at {visit.current_step.replace('_', ' ')}"
    if visit.held_since is not None:
        state += f", held since {visit.held_since:%H:%M:%S} UTC: a provider serves no visit"
    if visit.trouble is not None:
        state += f", {visit.trouble.last_code} ({times(visit.trouble.times)})"
    return f"{state}."
