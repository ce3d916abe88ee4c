"""Budgets of a measurement. Seconds are CPU seconds, unless a comment says otherwise.

CPU time is limited instead of wall-clock time, so that a busy machine refuses no honest recording.
"""

from typing import Final

from lumimd.adapters.measuring.recording import Budget

MIB: Final = 1024**2

FIRST_LOOK: Final = Budget(cpu_s=0.08, bytes=16 * MIB, jumps=500)
"""The budget for an hour's recording of any kind; costlier recordings go to the slow lane."""

SLOW: Final = Budget(cpu_s=1.2, bytes=640 * MIB, jumps=2_000)
"""The budget to count the frames of ten hours."""

OVERRUN_S: Final = 0.3
"""The time over its budget after which the pool kills a process."""

ADDRESS_SPACE: Final = 80 * MIB
"""The most memory of a process, including its interpreter (about 25 MiB)."""

LARGE: Final = 64 * MIB
"""A recording over this size that is too costly to measure is transcribed without a duration.

A smaller recording that is too costly is hostile, because even twelve hours of telephone speech are
below this size.
"""

SILENT_FOR_S: Final = 20.0
"""The wall-clock time after which the pool replaces a process that does nothing.

Such a process uses no CPU and requests no bytes.
"""

WORKERS: Final = 4
"""Recordings that one instance measures at once. A process takes about 15 MB."""

SLOW_AT_ONCE: Final = 2
"""Workers that may be in the slow lane; the other workers serve quick recordings."""
