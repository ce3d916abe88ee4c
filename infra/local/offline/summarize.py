"""`scripts/summarize`: the pipeline's documents for transcripts, without a stack or a network.

The pipeline's own steps process each file in memory: they accept it, collect the transcript and
assign the speaker roles, summarize it by rules or scripted model answers, and store the documents.
"""

import argparse
import asyncio
import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from infra.local.offline.services import OfflineServices, ScriptedModel
from infra.local.offline.transcripts import BadTranscript, read_transcript
from infra.local.show import show
from infra.local.visit_documents import VisitDocuments
from lumimd.adapters.memory import ManualClock
from lumimd.domain.audio import Audio, Upload
from lumimd.domain.transcript import Transcript
from lumimd.pipeline import accept, collect, commands, summarize
from lumimd.ports.summarizer import Summarizer
from lumimd.telemetry import logs

USER_ID: Final = "offline"

MAX_TITLE: Final = 200
"""The longest title of a visit that the API accepts, in characters."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return exit code 0 only if every file was a transcript."""
    wanted = _parser().parse_args(arguments)
    logs.configure(to=io.StringIO())
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    model: Summarizer | None = None
    if wanted.model_answer:
        try:
            model = ScriptedModel([_answer(file) for file in wanted.model_answer])
        except OSError as error:
            console.print(f"{error.filename}: {error.strerror}", markup=False)
            return 1
    return asyncio.run(_run(wanted, model, console))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/summarize", description=__doc__)
    parser.add_argument(
        "file",
        nargs="+",
        type=Path,
        help='a transcript: {"utterances": [{"speaker", "text", "startMs"?, "endMs"?}]}, or lines '
        "SPEAKER: words",
    )
    parser.add_argument(
        "--json", action="store_true", help="JSON; of several files, one document a line"
    )
    parser.add_argument(
        "--model-answer",
        action="append",
        type=Path,
        metavar="FILE",
        help="a model's answer, in place of a model; may be given several times: each call takes "
        "the next, and the last one is repeated",
    )
    return parser


async def _run(wanted: argparse.Namespace, model: Summarizer | None, console: Console) -> int:
    code, several = 0, len(wanted.file) > 1
    for number, file in enumerate(wanted.file, start=1):
        try:
            transcript = read_transcript(file)
        except BadTranscript as error:
            console.print(f"{file}: {error}", markup=False)
            code = 1
            continue
        documents = await summarized(transcript, f"offline-{number}", file.name, model)
        _print(documents, as_json=wanted.json, several=several)
    return code


async def summarized(
    transcript: Transcript, visit_id: str, title: str, model: Summarizer | None = None
) -> VisitDocuments:
    """Process a visit with `transcript` in memory, and return the visit's documents."""
    services = OfflineServices(transcript, ManualClock(datetime.now(UTC)), model)
    title = title.encode(errors="replace").decode()[:MAX_TITLE]
    await commands.create(services, visit_id=visit_id, user_id=USER_ID, consent=True, title=title)
    await accept.accept(services, _upload(visit_id))
    (order,) = services.transcriber.orders
    await collect.collect(services, visit_id, 1, order.transcript_id)
    while not services.tasks.waiting.empty():
        task = services.tasks.waiting.get_nowait()
        await summarize.summarize(services, task.visit_id, task.attempt)
    documents = await VisitDocuments.read(services.store, visit_id)
    assert documents.visit.processing_status.is_terminal
    return documents


def _upload(visit_id: str) -> Upload:
    """Create an upload without a recording, since the transcript exists already."""
    audio = Audio(
        bucket="offline",
        storage_path=f"visits/{USER_ID}/{visit_id}/audio.wav",
        generation=1,
        content_type="audio/wav",
        size_bytes=1_000_000,
    )
    return Upload(user_id=USER_ID, visit_id=visit_id, audio=audio, announced_at=None)


def _answer(file: Path) -> str:
    return file.read_bytes().decode(errors="replace")


def _print(documents: VisitDocuments, *, as_json: bool, several: bool) -> None:
    if not as_json:
        show(documents, Console(highlight=False))
        return
    sys.stdout.writelines(documents.to_json(indent=None if several else 2))
    sys.stdout.write("\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
