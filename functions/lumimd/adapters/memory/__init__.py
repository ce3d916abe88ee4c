"""Adapters in memory for every port: strict enough for tests, and for runs without Java."""

from lumimd.adapters.memory.audio import MemoryAudioStore
from lumimd.adapters.memory.clock import ManualClock
from lumimd.adapters.memory.tasks import MemoryTaskQueue, SummaryTask
from lumimd.adapters.memory.transcriber import MemoryTranscriber
from lumimd.adapters.memory.visit_store import MemoryVisitStore

__all__ = [
    "ManualClock",
    "MemoryAudioStore",
    "MemoryTaskQueue",
    "MemoryTranscriber",
    "MemoryVisitStore",
    "SummaryTask",
]
