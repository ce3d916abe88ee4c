"""Simulates the owners, who upload, edit, cancel, retry and delete at any moment."""

from dataclasses import dataclass
from typing import Any, Final

from lumimd.domain.audio import Audio, Upload
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Refused
from lumimd.domain.visit import Visit
from lumimd.pipeline import commands
from tests.simulation.cloud import Cloud
from tests.simulation.platform import StorageEvents
from tests.simulation.replying import reply_to_owner
from tests.simulation.world import BUCKET, World

USER: Final = "user"
UPLOADS_WITHIN_S: Final = 1200.0


def user_of(visit_id: str) -> str:
    """Return the owner of a visit: in capped worlds the user in its name, else the only user."""
    name = visit_id.rstrip("0123456789")
    return USER if name == "v" else f"{USER}-{name}"


def path_of(visit_id: str) -> str:
    """Return the path of the first recording of a visit."""
    return f"{folder_of(visit_id)}audio.m4a"


def folder_of(visit_id: str) -> str:
    """Return the folder of all recordings of a visit."""
    return f"visits/{user_of(visit_id)}/{visit_id}/"


@dataclass
class Ask:
    """A request of an owner; `answered_at` is the time of its response 200, or None."""

    visit_id: str
    action: str
    asked_at: float
    fields: dict[str, Any]
    before: Visit | None
    answered_at: float | None = None


class Phones:
    """The owners of all visits; `on_promised` is called with each request answered with 200."""

    def __init__(self, world: World, cloud: Cloud, events: StorageEvents) -> None:
        self._world, self._cloud, self._events = world, cloud, events
        numbers = range(world.options.visits)
        names = "a" * 4 + "bcde" if world.is_capped else "v"  # user-a has half of the visits
        self.visit_ids = [f"{names[number % len(names)]}{number}" for number in numbers]
        self.asks: dict[tuple[str, str], list[Ask]] = {}
        self.never_uploaded: set[str] = set()
        self.on_promised: Any = lambda ask: None
        self.last_action_at = 0.0

    def asked(self, visit_id: str, action: str) -> list[Ask]:
        """Return the requests for `action` on a visit, in order."""
        return self.asks.get((visit_id, action), [])

    def was_promised(self, visit_id: str, action: str) -> bool:
        """Whether a request for `action` was answered with 200."""
        return any(ask.answered_at is not None for ask in self.asked(visit_id, action))

    def plan(self) -> None:
        """Schedule the actions of all owners."""
        for visit_id in self.visit_ids:
            self._plan(visit_id)

    def _plan(self, visit_id: str) -> None:
        world, chance = self._world, self._world.faults.chance
        at = world.rng.uniform(0, UPLOADS_WITHIN_S)
        if world.is_rush:
            at = 300.0 * (at // 300.0) + world.rng.random()  # a rush: uploads come in a few bursts
        created_at = at
        if world.rng.random() < 0.2:
            created_at *= world.rng.random()
            how = self._create if world.rng.random() < 0.5 else self._create_directly
            self._at(created_at, how, visit_id)
        if created_at < at and chance("never_uploaded"):
            self.never_uploaded.add(visit_id)
        else:
            consented = not chance("consent_later")
            self._at(at, self._upload, visit_id, consented)
        for _ in range(2):
            if chance("replaced"):
                consented = not chance("consent_later")
                self._at(at + self._sometime(), self._upload, visit_id, consented)
        for number in range(2, 5):
            if chance("second_take"):
                path = f"{folder_of(visit_id)}audio.{number}.m4a"
                self._at(at + self._sometime(), self._upload, visit_id, True, path)
        for _ in range(3):
            if chance("edited"):
                how = self._edit_directly if world.rng.random() < 0.3 else self._edit
                self._at(at + self._sometime(), how, visit_id)
        if chance("consent_given"):
            self._at(at + self._sometime(), self._ask, visit_id, "give_consent")
        for action in ("retry", "regenerate"):
            if chance(f"{action}_asked"):
                for _ in range(3):
                    asked_at = at + self._sometime()
                    for _ in range(2):  # some owners click twice
                        self._at(asked_at, self._ask, visit_id, action)
                        asked_at += world.rng.choice((0.0, 20.0, 40.0)) * world.rng.random()
        begins = world.rng.choice((created_at, at))
        if chance("cancelled"):
            self._at(begins + self._sometime(), self._ask, visit_id, "cancel")
        if chance("deleted"):
            self._plan_deletion(visit_id, begins)

    def _plan_deletion(self, visit_id: str, begins: float) -> None:
        world = self._world
        at = begins + self._sometime()
        if world.rng.random() < 0.15:
            held_at = at + world.rng.choice((-300.0, 0.0, 0.0)) * world.rng.random()
            self._at(max(begins, held_at), self._ask, visit_id, "hold", legally=True)
        for _ in range(world.rng.choice((1, 1, 2))):
            self._at(at, self._ask, visit_id, "delete")
            at += self._sometime()
        if world.rng.random() < 0.3:
            self._at(at, self._upload, visit_id, True)

    def _sometime(self) -> float:
        """Return a random delay in seconds: mostly minutes, sometimes until the next day."""
        rng = self._world.rng
        longest = rng.choice((5.0, 120.0, 600.0, 7200.0)) if rng.random() < 0.95 else 40 * 3600.0
        return longest * rng.random()

    def _at(self, when: float, act: Any, visit_id: str, *more: Any, **fields: Any) -> None:
        self.last_action_at = max(self.last_action_at, when)
        self._world.loop.call_at(when, lambda: act(visit_id, *more, **fields))

    def _create_directly(self, visit_id: str) -> None:
        """Create a visit in the database without the API, as the security rules allow."""
        documents, now = self._world.documents, self._world.now()
        if documents.get(visit_id) is None and visit_id not in documents.receipts:
            visit = Visit(
                visit_id=visit_id, user_id=user_of(visit_id), created_at=now, updated_at=now
            )
            documents._put(None, visit)
            self._world.note("owner", visit_id, "creates the visit")

    def _create(self, visit_id: str) -> None:
        consent = self._world.rng.random() < 0.5

        async def create(services: Any) -> None:
            try:
                await commands.create(
                    services, visit_id=visit_id, user_id=user_of(visit_id), consent=consent
                )
            except Conflict as conflict:
                raise Refused(commands.RefusalCode.STILL_PROCESSING) from conflict

        self._invoke(visit_id, "create", create, {})

    def _upload(self, visit_id: str, consented: bool, path: str | None = None) -> None:
        world, bucket = self._world, self._cloud.bucket
        flaws = ("ours", "theirs", "mute") if path is None else ("ours", "theirs", "mute", "empty")
        path = path or path_of(visit_id)
        generation = bucket.newest_of(folder_of(visit_id)) + world.rng.randint(1, 3)
        flaw = world.faults.chance("bad_recording") and world.rng.choice(flaws)
        if flaw == "ours":
            bucket.flaws[path, generation] = ErrorCode.AUDIO_UNREADABLE
        elif flaw == "theirs":
            self._cloud.transcriptions.refused.add((path, generation))
        elif flaw == "mute":
            self._cloud.transcriptions.silent.add((path, generation))
        if world.faults.chance("bad_order"):
            self._cloud.transcriptions.unordered.add((path, generation))
        if world.faults.chance("poison"):
            bucket.poisonous.add((path, generation))
        if world.faults.chance("kills_measuring"):
            bucket.unmeasurable.add((path, generation))
        audio = Audio(
            bucket=BUCKET,
            storage_path=path,
            generation=generation,
            content_type="audio/mp4",
            size_bytes=0 if flaw == "empty" else 1_000_000,
        )
        upload = Upload(
            user_id=user_of(visit_id),
            visit_id=visit_id,
            audio=audio,
            announced_at=world.now(),
            consented=consented,
        )
        bucket.upload(upload)
        world.note("owner", visit_id, "uploads generation", generation)
        self._events.publish(upload)

    def _edit_directly(self, visit_id: str) -> None:
        """Edit the title in the database without the API; the new title is visible at once."""
        world = self._world
        stored = world.documents.get(visit_id)
        if stored is not None and not stored.visit.legal_hold:
            title = f"title {next(world.ids)}"
            world.documents.edit(visit_id, title=title)
            now = world.loop.time()
            ask = Ask(visit_id, "change", now, {"title": title}, None, answered_at=now)
            self.asks.setdefault((visit_id, "change"), []).append(ask)
            world.note("owner", visit_id, "edits", title)

    def _edit(self, visit_id: str) -> None:
        self._ask(visit_id, "change", title=f"title {next(self._world.ids)}")

    def _ask(self, visit_id: str, action: str, **fields: Any) -> None:
        command = getattr(commands, action)
        self._invoke(
            visit_id, action, lambda services: command(services, visit_id, **fields), fields
        )

    def _invoke(self, visit_id: str, action: str, work: Any, fields: dict[str, Any]) -> None:
        world = self._world
        stored = world.documents.get(visit_id)
        before = stored.visit if stored else None
        ask = Ask(visit_id, action, world.loop.time(), fields, before)
        self.asks.setdefault((visit_id, action), []).append(ask)
        world.note("owner", visit_id, action, fields or None)

        def on_reply(status: int) -> None:
            if status == 200:
                ask.answered_at = world.loop.time()
                self.on_promised(ask)

        world.invoke(
            action,
            lambda services: reply_to_owner(work(services)),
            visit_id=visit_id,
            limit_s=60.0,
            patience_s=60.0,
            on_reply=on_reply,
        )
