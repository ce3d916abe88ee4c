"""`scripts/demo`: uploads a recording to a new local stack and shows the processed visit."""

import argparse
import os
import secrets
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from infra.local.client import USER_ID
from infra.local.following import Following, Stalled
from infra.local.launcher import Say, exit_code, running_stack
from infra.local.show import show
from infra.local.stack import ROOT, Options, can_emulate
from infra.local.stall import PATIENCE_S, ended_when_blocked
from infra.local.visit_documents import VisitDocuments
from lumimd.domain.audio import recording_of
from lumimd.domain.visit import Status

SAMPLE: Final = ROOT / "samples" / "visit.m4a"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return exit code 0 only if the visit was completed."""
    wanted = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not wanted.audio.is_file():
        console.print(f"There is no file {wanted.audio}.", markup=False)
        return 1
    return exit_code(_demo(wanted, console), console, interrupted=130)


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
        help="where the visits are stored; auto takes the emulator when there is one",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_S,
        metavar="SECONDS",
        help="end with the reason after this time without progress; default: %(default)g. "
        "Running recognition is progress",
    )
    return parser


async def _demo(wanted: argparse.Namespace, console: Console) -> int:
    recording: Path = wanted.audio
    visit_id = f"demo-{secrets.token_hex(6)}"
    if recording_of(_object_name(recording, visit_id)) is None:
        console.print(f"{recording.name} is not named like a recording; the pipeline ignores it.")
        return 1
    options = Options(in_memory=choose_memory(wanted.store, console.print))
    announce_services(options, console.print)
    documents = await process_on_new_stack(
        recording, visit_id, options, console, patience_s=wanted.patience
    )
    if documents is None:
        return 1
    _print(documents, as_json=wanted.json)
    return 0 if documents.visit.status is Status.COMPLETED else 1


async def process_on_new_stack(
    recording: Path, visit_id: str, options: Options, console: Console, *, patience_s: float
) -> VisitDocuments | None:
    """Process a visit on a new stack and return its documents.

    If the visit stalls, the function prints the reason and returns None.
    """
    console.print("Starting the stack:")
    documents: VisitDocuments | None = None
    async with running_stack(options, console.print) as stack:
        object_name = _object_name(recording, visit_id)
        console.print(f"Uploading {recording.name} to the bucket as {object_name}")
        following = Following(stack, options, visit_id, console)
        try:
            with ended_when_blocked(patience_s):
                await following.upload(recording, object_name)
                documents = await following.until_ended(patience_s)
        except Stalled as stalled:
            console.print(str(stalled), markup=False)
        console.print("Stopping the stack")
    console.print(f"The logs of every part are in {stack.run_dir.relative_to(ROOT)}/")
    return documents


def _object_name(recording: Path, visit_id: str) -> str:
    return f"visits/{USER_ID}/{visit_id}/{recording.name}"


def choose_memory(store: str, say: Say) -> bool:
    """Decide whether to keep the visits in memory, by `store` and by the emulators found here.

    Raises:
        EmulatorMissing: the emulator is missing, but `store` or CI requires it.
    """
    if store == "memory":
        return True
    missing = can_emulate(os.environ)
    if missing is None:
        return False
    if store == "emulator" or os.environ.get("CI") == "true":
        raise missing
    say(f"{missing}")
    say("NO EMULATOR: the visits are in memory only and are lost at the end; the rest is the same.")
    return True


def announce_services(options: Options, say: Say) -> None:
    """Print the names of the transcriber and the summarizer, and which data leaves this machine."""
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
        sys.stdout.writelines(documents.to_json())
        sys.stdout.write("\n")
    else:
        show(documents, Console(highlight=False))


if __name__ == "__main__":
    sys.exit(main())
