"""Stubs the bucket of recordings, some of which are flawed."""

from collections import Counter
from datetime import datetime, timedelta
from urllib.parse import quote

from lumimd.domain.audio import Audio, Upload
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import MeasuringDied, Permanent, Transient
from lumimd.domain.timing import MAX_TRIES
from lumimd.policies import retry
from lumimd.ports.paging import Cursor, Page
from tests.simulation.faults import Dependency
from tests.simulation.invocation import current
from tests.simulation.world import World


class Erased:
    """Objects erased below `folder`, or an erased job `name`, noted when the caller hears of it."""

    def __init__(
        self, reported: "list[Erased]", folder: str, number: int, name: str = "", kept: int = 0
    ) -> None:
        self._reported = reported
        self.folder = folder
        self.name = name
        self.number = number
        self.kept = kept
        self.invocation = current.get()

    def __repr__(self) -> str:
        return f"{self.number} erased {self.name}".rstrip()

    def heard(self) -> int:
        """Note that the caller got the answer, and return the number of erased objects."""
        self._reported.append(self)
        if self.kept:
            raise Transient(ErrorCode.INTERNAL_ERROR)
        return self.number

    def is_certain(self, visit_id: str) -> bool:
        """Whether no fault can have prevented the caller from saving the answer."""
        return self.invocation.hits(visit_id) == 0


class Bucket:
    def __init__(self, world: World) -> None:
        self._world = world
        self.newest: dict[str, int] = {}
        self._paths: dict[str, set[str]] = {}
        self.there: dict[str, int] = {}
        self.uploads_of: dict[str, Upload] = {}
        self.erased: list[Erased] = []
        self.held: set[str] = set()
        self.flaws: dict[tuple[str, int], ErrorCode] = {}
        self.poisonous: set[tuple[str, int]] = set()
        self.unmeasurable: set[tuple[str, int]] = set()
        self.killed: Counter[tuple[str, int]] = Counter()

    def upload(self, uploaded: Upload) -> None:
        """Store a recording; it replaces the earlier one at its path."""
        audio = uploaded.audio
        folder = audio.storage_path.rpartition("/")[0] + "/"
        self._paths.setdefault(folder, set()).add(audio.storage_path)
        self.newest[audio.storage_path] = self.there[audio.storage_path] = audio.generation
        self.uploads_of[audio.storage_path] = uploaded

    def newest_of(self, folder: str) -> int:
        """Return the newest generation below `folder`, or 0. Generations only increase."""
        return max(map(self.newest.__getitem__, self.paths_of(folder)), default=0)

    def paths_of(self, folder: str) -> list[str]:
        """Return all paths below `folder` at which a recording is or was."""
        return sorted(self._paths.get(folder, ()))

    def below(self, folder: str) -> list[str]:
        """Return the paths of the present recordings below `folder`."""
        return [path for path in self.there if path.startswith(folder)]

    async def has(self, bucket: str, folder: str) -> bool:
        def effect() -> bool:
            return bool(self.below(folder))

        return await self._world.call(Dependency.AUDIO, "has", effect, retry.AUDIO)

    async def uploads(
        self, bucket: str, since: datetime, after: Cursor | None = None
    ) -> Page[Upload]:
        def effect() -> Page[Upload]:
            found = (self.uploads_of[path] for path in self.there)
            recent = (each for each in found if each.announced_at and each.announced_at >= since)
            return Page(tuple(recent))

        return await self._world.call(Dependency.AUDIO, "uploads", effect, retry.AUDIO)

    async def hold(self, bucket: str, folder: str, *, held: bool) -> int:
        def effect() -> int:
            below = set(self.below(folder))
            self.held = self.held | below if held else self.held - below
            return len(below)

        return await self._world.call(Dependency.AUDIO, "hold", effect, retry.AUDIO)

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        def effect() -> "Erased":
            below = [p for p in self.below(folder) if up_to is None or self.there[p] <= up_to]
            meant = [path for path in below if path not in self.held]
            for path in meant:
                del self.there[path]
            return Erased(self.erased, folder, len(meant), kept=len(below) - len(meant))

        return await self._world.call(Dependency.AUDIO, "erase", effect, retry.AUDIO)

    async def measure(self, audio: Audio) -> Audio:
        def effect() -> Audio:
            key = audio.storage_path, audio.generation
            if self.there.get(audio.storage_path) != audio.generation:
                raise Permanent(ErrorCode.AUDIO_MISSING)
            if key in self.unmeasurable:
                self._kill(key)
            if key in self.flaws:
                raise Permanent(self.flaws[key])
            return audio.with_duration(600.0)

        # A poison pill crashes the whole instance, for example because it exhausts its memory.
        if (audio.storage_path, audio.generation) in self.poisonous:
            self._world.poison(current.get())  # the following call gets no answer
        return await self._world.call(
            Dependency.AUDIO, "measure", effect, retry.MEASURE, takes_s=self._world.rng.random()
        )

    def _kill(self, key: tuple[str, int]) -> None:
        """Kill only the measuring process; the process that started it gets an error."""
        self.killed[key] += 1
        if self.killed[key] > MAX_TRIES:
            self._world.breach("openedForEver", key[0].split("/")[2], f"{self.killed[key]} times")
        raise MeasuringDied(ErrorCode.INTERNAL_ERROR)

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        def effect() -> str:
            path = quote(audio.storage_path, safe="/~")
            signature = self._world.rng.randrange(2**32)
            return (
                f"https://storage.invalid/{audio.bucket}/{path}"
                f"?generation={audio.generation}&X-Goog-Signature={signature:x}"
            )

        return await self._world.call(Dependency.AUDIO, "signed_url", effect, retry.AUDIO)
