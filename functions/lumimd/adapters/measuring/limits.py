"""Budgets of a measurement. Seconds are seconds of CPU, unless they say otherwise.

CPU time decides, not time on the wall: a busy machine loses no honest recording.
"""

from typing import Final

from lumimd.adapters.measuring.recording import Budget

MIB: Final = 1024**2

FIRST_LOOK: Final = Budget(cpu_s=0.08, bytes=16 * MIB, jumps=500)
"""Enough for an hour's recording of any kind; costlier recordings go to the slow lane."""

SLOW: Final = Budget(cpu_s=1.2, bytes=640 * MIB, jumps=2_000)
"""Enough to count the frames of ten hours."""

OVERRUN_S: Final = 0.3
"""A process that does not notice the end of its budget is killed so much later."""

ADDRESS_SPACE: Final = 80 * MIB
"""Of one process, its interpreter included (about 25 MiB)."""

LARGE: Final = 64 * MIB
"""A larger recording may be too costly because of its size alone: it is ordered unmeasured.

A smaller one is made to be costly. Twelve hours of telephone speech are smaller.
"""

SILENT_FOR_S: Final = 20.0
"""On the wall: a process that uses no CPU and asks for nothing for so long is replaced."""

WORKERS: Final = 4
"""Recordings that one instance measures at once. A process takes about 15 MB."""

SLOW_AT_ONCE: Final = 2
"""Of them in the slow lane; the others keep a quick recording from waiting."""
