"""Compute a sound track's duration by the MP4's index, and the share that the file holds."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from lumimd.adapters.measuring.mp4_boxes import numbers
from lumimd.adapters.measuring.recording import Recording


@dataclass
class Track:
    """A track: its samples lie in `chunks` (offsets), by `runs` (first chunk, samples per chunk).

    `size` is the size of every sample. If it is 0, `sizes` has the offset and length of a table of
    sizes.
    """

    number: int = 0
    timescale: int = 0
    is_sound: bool = False
    duration: int = 0
    edits: list[tuple[int, int]] = field(default_factory=list)
    size: int = 0
    sizes: tuple[int, int, int] = (0, 0, 0)
    runs: list[tuple[int, int]] = field(default_factory=list)
    chunks: "array[int]" = field(default_factory=lambda: array("Q"))

    @property
    def seconds(self) -> float:
        """Return the duration that the index announces; 0.0 without a timescale."""
        return self.duration / self.timescale if self.timescale else 0.0

    def heard(self, movie_timescale: int) -> float:
        """Return the duration that players play: the parts in the edit list, if there is one.

        An edit is (duration in the movie's units, beginning in the track's units); an empty edit,
        before the sound begins, has no beginning.
        """
        if not movie_timescale or not all(lasts for lasts, _ in self.edits):
            return self.seconds
        parts = [
            min(lasts / movie_timescale, max(0.0, self.seconds - begins / self.timescale))
            for lasts, begins in self.edits
            if begins >= 0
        ]
        return sum(parts) if parts else self.seconds

    def held(self, file: Recording) -> float:
        """Return the share of the samples that the file holds."""
        total = there = 0
        last_place, last_first, last_samples = -1, 0, 0
        for place, samples in zip(self.chunks, self._samples(), strict=False):
            if place < file.size:
                there += samples
                if place > last_place:
                    last_place, last_first, last_samples = place, total, samples
            total += samples
        if not total:
            return 1.0
        if there and (size := self._bytes(file, last_first, last_samples)):
            there -= round(last_samples * max(0.0, 1 - (file.size - last_place) / size))
        return there / total

    def _samples(self) -> Iterator[int]:
        """Yield the number of samples of each chunk."""
        for (first, samples), (after, _) in zip(
            self.runs, [*self.runs[1:], (len(self.chunks) + 1, 0)], strict=True
        ):
            for _ in range(min(after, len(self.chunks) + 1) - first):
                yield samples

    def _bytes(self, file: Recording, first: int, count: int) -> int:
        if self.size:
            return self.size * count
        offset, end, entries = self.sizes
        return sum(islice(numbers(file, offset + 4 * first, end, "I", entries - first), count))
