"""`scripts/demo`: a recording goes in, and a person sees what becomes of it."""

import argparse
import asyncio
import json
import os
import secrets
import sys
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.client import USER_ID, Client
from infra.local.emulators import EmulatorMissing
from infra.local.launcher import Say, Stack, running_stack
from infra.local.show import show
from infra.local.stack import ROOT, Options, can_emulate
from infra.local.supervision.processes import ProcessFailed
from infra.local.visit_documents import VisitDocuments
from lumimd.audio import recording_of
from lumimd.records import Status, Visit

SAMPLE: Final = ROOT / "samples" / "visit.m4a"


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 only when the visit was completed."""
    wanted = _parser().parse_args(arguments)
    told = Console(stderr=True, highlight=False, soft_wrap=True)
    if not wanted.audio.is_file():
        told.print(f"There is no file {wanted.audio}.", markup=False)
        return 1
    try:
        return asyncio.run(_demo(wanted, told))
    except (EmulatorMissing, ProcessFailed) as error:
        told.print(str(error), markup=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        told.print("Stopped; nothing is left running.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument(
        "audio", nargs="?", type=Path, default=SAMPLE, help="a recording; default: the sample visit"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument(
        "--store",
        choices=["auto", "emulator", "memory"],
        default="auto",
        help="where the visits live; auto takes the emulator when there is one",
    )
    return parser


async def _demo(wanted: argparse.Namespace, told: Console) -> int:
    recording: Path = wanted.audio
    visit_id = f"demo-{secrets.token_hex(6)}"
    object_name = f"visits/{USER_ID}/{visit_id}/{recording.name}"
    if recording_of(object_name) is None:
        told.print(f"{recording.name} is not named like a recording; the pipeline ignores it.")
        return 1
    options = Options(in_memory=choose_memory(wanted.store, told.print))
    announce_services(options, told.print)
    told.print("Starting the stack:")
    async with running_stack(options, told.print) as stack:
        told.print(f"Uploading {recording.name} to the bucket as {object_name}")
        await stack.client.upload(recording, object_name)
        documents = await _follow(stack, visit_id, told)
        told.print("Stopping the stack")
    _print(documents, as_json=wanted.json)
    told.print(f"The logs of every part are in {stack.run_dir.relative_to(ROOT)}/")
    return 0 if documents.visit.status is Status.COMPLETED else 1


async def _follow(stack: Stack, visit_id: str, told: Console) -> VisitDocuments:
    """Show the progress that the listener brings; a part of the stack that dies ends it."""
    following = asyncio.create_task(_until_ended(stack.client, visit_id, told))
    dying = asyncio.create_task(stack.processes.wait())
    try:
        await asyncio.wait({following, dying}, return_when=asyncio.FIRST_COMPLETED)
        if dying.done():
            dying.result()
        await following
    finally:
        for task in (following, dying):
            task.cancel()
        await asyncio.gather(following, dying, return_exceptions=True)
    return await stack.client.documents(visit_id)


async def _until_ended(client: Client, visit_id: str, told: Console) -> Visit:
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=told) as progress:
        bar = progress.add_task("waiting for the event", total=100)
        shown: tuple[int, str] | None = None
        async with aclosing(client.watch(visit_id)) as updates:  # type: ignore[type-var]
            async for visit in updates:
                step = visit.current_step.replace("_", " ")
                progress.update(bar, completed=visit.progress_percent, description=step)
                if not told.is_terminal and shown != (visit.progress_percent, step):
                    told.print(f"  {visit.progress_percent:>3} %  {step}")
                shown = visit.progress_percent, step
                if visit.processing_status.is_terminal:
                    return visit
    raise AssertionError("a listener does not end")


def choose_memory(store: str, say: Say) -> bool:
    """Whether the visits live in memory, by what was asked for and what this machine has.

    Raises:
        EmulatorMissing: the emulator was asked for, or this is CI, and it is not here.
    """
    if store == "memory":
        return True
    missing = can_emulate(os.environ)
    if missing is None:
        return False
    if store == "emulator" or os.environ.get("CI") == "true":
        raise missing
    say(f"{missing}")
    say("NO EMULATOR: the visits live in memory and are gone afterwards; all else is the same.")
    return True


def announce_services(options: Options, say: Say) -> None:
    """Say who transcribes and who summarizes, and what leaves this machine."""
    if options.real_speech:
        say("ASSEMBLYAI_API_KEY is set: the recording goes to AssemblyAI, which charges for it.")
    elif not options.scripted:
        say("No ASSEMBLYAI_API_KEY: faster-whisper transcribes on this machine.")
    if options.real_model:
        say("OPENAI_API_KEY is set: the transcript goes to the language model, which charges.")
    else:
        say("No OPENAI_API_KEY: rules summarize on this machine (source: rules).")


def _print(documents: VisitDocuments, *, as_json: bool) -> None:
    if as_json:
        json.dump(documents.to_stored(), sys.stdout, default=_plain, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        show(documents, Console(highlight=False))


def _plain(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()


if __name__ == "__main__":
    sys.exit(main())
