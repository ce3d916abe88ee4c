"""Budgets of a measurement. Seconds are CPU seconds, unless stated otherwise.

CPU time decides, not wall-clock time: a busy machine refuses no honest recording.
"""

from typing import Final

from lumimd.adapters.measuring.recording import Budget

MIB: Final = 1024**2

FIRST_LOOK: Final = Budget(cpu_s=0.08, bytes=16 * MIB, jumps=500)
"""Enough for an hour's recording of any kind; costlier recordings go to the slow lane."""

SLOW: Final = Budget(cpu_s=1.2, bytes=640 * MIB, jumps=2_000)
"""Enough to count the frames of ten hours."""

OVERRUN_S: Final = 0.3
"""The pool kills a process that exceeds its budget by this time."""

ADDRESS_SPACE: Final = 80 * MIB
"""Per process, including its interpreter (about 25 MiB)."""

LARGE: Final = 64 * MIB
"""A larger recording may be too costly only because of its size: it is ordered unmeasured.

A smaller costly one is hostile. Twelve hours of telephone speech are smaller than this limit.
"""

SILENT_FOR_S: Final = 20.0
"""Wall-clock: the pool replaces a process that uses no CPU and requests no bytes for this time."""

WORKERS: Final = 4
"""Recordings that one instance measures concurrently. A process takes about 15 MB."""

SLOW_AT_ONCE: Final = 2
"""Of them in the slow lane; the others serve quick recordings."""
