"""`scripts/dev`: keeps the stack running and prints a table of its URLs."""

import argparse
import os
import sys

from rich.console import Console
from rich.table import Table

from infra.local.demo import announce_services, choose_memory
from infra.local.launcher import Stack, exit_code, running_stack
from infra.local.stack import BUCKET, ENTRY_POINTS, PROJECT, ROOT, Options
from infra.ops.local_stack import Addresses, published


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return exit code 0 after Ctrl-C, 1 if a part of the stack failed."""
    parser = argparse.ArgumentParser(prog="scripts/dev", description=__doc__)
    parser.add_argument("--scripted", action="store_true", help="no speech recognition: scripts")
    parser.add_argument("--no-webhooks", dest="webhooks", action="store_false")
    parser.add_argument("--poll-every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--store", choices=["auto", "emulator", "memory"], default="auto")
    wanted = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    return exit_code(_serve(wanted, console), console, interrupted=0)


async def _serve(wanted: argparse.Namespace, console: Console) -> int:
    options = Options(
        in_memory=choose_memory(wanted.store, console.print),
        scripted=wanted.scripted,
        webhooks=wanted.webhooks,
        poll_every_s=wanted.poll_every,
    )
    announce_services(options, console.print)
    console.print("Starting the stack:")
    async with running_stack(options, console.print) as stack:
        Console(highlight=False).print(_urls(stack, options))
        console.print(f"Logs: {stack.run_dir.relative_to(ROOT)}/   Stop: Ctrl-C")
        with published(_addresses(stack, options), stack.run_dir):
            await stack.processes.wait()
    return 0


def _addresses(stack: Stack, options: Options) -> Addresses:
    return Addresses(
        run=stack.run_dir.name,
        pid=os.getpid(),
        in_memory=options.in_memory,
        env=dict(stack.plan.function_env),
        urls={process.name: process.url for process in stack.plan.processes},
    )


def _urls(stack: Stack, options: Options) -> Table:
    table = Table("part", "URL")
    for process in stack.plan.processes:
        if process.name not in ENTRY_POINTS:
            table.add_row(process.name, process.url)
    for entry_point in ENTRY_POINTS:
        table.add_row(entry_point, stack.plan.function_url(entry_point))
    table.add_row("project", PROJECT)
    table.add_row("bucket", BUCKET)
    table.add_row("store", "memory" if options.in_memory else "Firestore emulator")
    return table


if __name__ == "__main__":
    sys.exit(main())
