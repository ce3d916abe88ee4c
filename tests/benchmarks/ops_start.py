"""Measures the processor time that a call of `scripts/ops` uses before its first query.

    scripts/python tests/benchmarks/ops_start.py [--runs 5]

Each run is a new process that ends before the first query. Prints the median processor time of the
process and its children. The first run of each kind writes the bytecode and is not counted.
"""

import argparse
import os
import resource
import statistics
import subprocess

from infra.local.stack import ROOT
from tests.operations.test_cli_starts import AFTER_CONNECTING

CALLS = {
    "scripts/ops --help": [str(ROOT / "scripts" / "ops"), "--help"],
    "connected, visits": [str(ROOT / "scripts" / "python"), "-c", AFTER_CONNECTING, "operators"],
    "connected, queues": [str(ROOT / "scripts" / "python"), "-c", AFTER_CONNECTING, "queues"],
}


def seconds(command: list[str]) -> float:
    """Return the processor time of one run, in seconds."""
    env = {**os.environ, "PYTHONPYCACHEPREFIX": str(ROOT / ".venv" / "bytecode")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the median processor time of each kind of call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    for name, command in CALLS.items():
        seconds(command)
        taken = statistics.median(seconds(command) for _ in range(runs))
        print(f"{name}: {taken:.2f} s")


if __name__ == "__main__":
    main()
