"""`scripts/check-recording`: checks recordings as the pipeline does, before their upload.

The command prints one line for each file, or a JSON object with --json: the length, and the error
code with which the pipeline would refuse the file. The exit code is 0 when all are accepted, 1 when
some are refused, and 2 when some cannot be read.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

from lumimd.adapters.measuring.pool import pool
from lumimd.domain.audio import UPLOADS, Audio, recording_of
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

IGNORED: Final = "not_a_recording"
"""The code for a file without a recording's name ending; the pipeline ignores such objects."""

_IGNORED_MESSAGE: Final = "The name does not end as that of a recording: it would be ignored."


@dataclass(frozen=True)
class Verdict:
    """The result for one file.

    `seconds` is None if the length is unknown; `code` is None if the recording is accepted.
    """

    file: str
    seconds: float | None
    code: str | None


def main(arguments: list[str] | None = None) -> int:
    """Check the files and return the exit code of the command."""
    parser = argparse.ArgumentParser(prog="scripts/check-recording", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    wanted = parser.parse_args(arguments)
    return asyncio.run(_check(wanted.files, as_json=wanted.json))


async def verdicts(files: Sequence[str]) -> AsyncGenerator[Verdict, None]:
    """Yield the pipeline's verdict on each file, in the order of `files`."""
    for file in files:
        try:
            yield await _verdict(file)
        except OSError as error:
            print(f"{file}: {error.strerror}", file=sys.stderr)
            yield Verdict(file, None, ErrorCode.AUDIO_MISSING.value)


async def _check(files: Sequence[str], *, as_json: bool) -> int:
    exit_code = 0
    async with aclosing(verdicts(files)) as each:
        async for verdict in each:
            print(json.dumps(asdict(verdict)) if as_json else _line(verdict), flush=True)
            missing = verdict.code == ErrorCode.AUDIO_MISSING
            exit_code = max(exit_code, 2 if missing else int(verdict.code is not None))
    return exit_code


async def _verdict(file: str) -> Verdict:
    opened, size = _open(Path(file))
    with opened:
        audio = Audio(
            bucket="recordings",
            storage_path=f"visits/user/visit/{Path(file).name}",
            generation=1,
            content_type="application/octet-stream",
            size_bytes=size,
        )
        if recording_of(audio.storage_path) is None:
            return Verdict(file, None, IGNORED)

        def read(offset: int, length: int) -> bytes:
            opened.seek(offset)
            return opened.read(length)

        seconds = code = None
        try:
            UPLOADS.checked(audio)
            seconds = (await pool().measure(audio.owner, size, read)).seconds
            audio.with_duration(seconds)
        except Permanent as error:
            code = error.code.value
    return Verdict(file, None if seconds is None else round(seconds, 3), code)


def _open(path: Path) -> tuple[BinaryIO, int]:
    opened = path.open("rb")
    return opened, os.fstat(opened.fileno()).st_size


def _line(verdict: Verdict) -> str:
    length = "length unknown" if verdict.seconds is None else f"{verdict.seconds:.1f} s"
    if verdict.code is None:
        return f"{verdict.file}: accepted, {length}"
    known = verdict.code != IGNORED
    message = ErrorCode(verdict.code).sentence if known else _IGNORED_MESSAGE
    return f"{verdict.file}: {verdict.code} ({message})"


if __name__ == "__main__":
    sys.exit(main())
