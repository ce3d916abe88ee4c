"""Measures how long each entry point takes to load, and how much memory it then uses.

    scripts/python tests/benchmarks/cold_start.py [--runs 5] [--markdown]

The benchmark builds and unpacks the upload and installs its packages, as the cloud does. Each run
is a new process that loads the entry point by functions-framework and then builds the services of
its first call. Bytecode exists, as in the cloud's image. The table shows the median of processor
time, on which other processes have little influence.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.terraform.names import entry_points
from tests.terraform.offline import ROOT
from tests.terraform.uploaded import Uploaded, upload

SERVICES = {
    "on_audio_finalized": ("store", "breakers", "audio", "transcriber"),
    "on_transcription_webhook": ("store", "breakers", "transcriber", "tasks"),
    "wake_due_visits": ("store", "breakers", "audio", "transcriber", "tasks"),
    "summarize_visit": ("store", "breakers", "summarizer"),
    "enforce_retention": ("store", "audio", "transcriber"),
}

MEASURED = """
import json, resource, sys, time
begun = time.process_time()
from functions_framework.aio import create_asgi_app
create_asgi_app(sys.argv[1], "main.py")
if sys.argv[1] == "api":
    from lumimd.runtime.api import app
    app()
loaded = time.process_time()
from lumimd.runtime.services import services
for name in sys.argv[2:]:
    getattr(services(), name)
ready = time.process_time()
there = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({
    "load": loaded - begun,
    "services": ready - loaded,
    "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "heavy": sorted(there & {"openai", "fastapi", "assemblyai", "firebase_admin", "av"}),
}))
"""


def measured(uploaded: Uploaded, entry_point: str, runs: int) -> tuple[str, ...]:
    """Measure an entry point; return its line of the table."""
    services = SERVICES.get(entry_point, ())
    uploaded.python(MEASURED, entry_point, *services)  # not counted: this run writes the bytecode
    results = [json.loads(uploaded.python(MEASURED, entry_point, *services)) for _ in range(runs)]
    load, first, mb = (
        statistics.median(result[name] for result in results) for name in ("load", "services", "mb")
    )
    heavy = ", ".join(results[0]["heavy"])
    return (
        entry_point,
        f"{load:.2f} s",
        f"{first:.2f} s",
        f"{load + first:.2f} s",
        f"{mb:.0f} MB",
        heavy,
    )


HEADINGS = (
    "entry point",
    "load (CPU)",
    "build its services",
    "together",
    "memory",
    "of the heavy packages",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--markdown", action="store_true", help="the table for a document")
    arguments = parser.parse_args()
    names = entry_points((ROOT / "functions/main.py").read_text())
    with tempfile.TemporaryDirectory() as folder:
        uploaded = upload(Path(folder))
        lines = [measured(uploaded, name, arguments.runs) for name in names]
        version = uploaded.python("import platform; print(platform.python_version())").strip()
    if arguments.markdown:
        print(f"Python {version}, median of {arguments.runs}\n")
        for line in (HEADINGS, ("---",) * len(HEADINGS), *lines):
            print("| " + " | ".join(line) + " |")
        return
    table = Table(*HEADINGS, title=f"Cold start, Python {version}, median of {arguments.runs}")
    for line in lines:
        table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    main()
