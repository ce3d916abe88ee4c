"""What can be switched off, or be on for some users only, without a deployment.

One document, `ops/flags`, which every instance reads a few times a minute (`shared_flags.py`). What
it does not name is on: an empty document, or none, is a deployment in which everything works.
"""

from enum import StrEnum
from hashlib import sha256
from typing import Final

from pydantic import Field

from lumimd.domain.document import Document

COLLECTION: Final = "ops"
KEY: Final = "flags"


class Switch(StrEnum):
    """The closed list. Each one is asked at one place of the code, which says what off means."""

    PROCESSING = "processing"
    SUMMARIES_BY_MODEL = "summaries_by_model"
    WEBHOOKS = "webhooks"
    PROVIDER_COPIES_DELETED = "provider_copies_deleted"


PER_USER: Final = frozenset({Switch.PROCESSING, Switch.SUMMARIES_BY_MODEL, Switch.WEBHOOKS})
"""The switches that may be on for a percentage of the users."""


class Setting(Document):
    """How one switch stands: off for everybody, or on for `percent` of the users."""

    on: bool = True
    percent: float = Field(100, ge=0, le=100)


class OrderCap(Document):
    """At most so many new paid orders in any hour (`admission/hourly.py`); None: no cap."""

    per_hour: int | None = Field(None, ge=1)


class Flags(Document):
    """How the switches stand."""

    processing: Setting = Setting()
    summaries_by_model: Setting = Setting()
    webhooks: Setting = Setting()
    provider_copies_deleted: Setting = Setting()
    order_cap: OrderCap = OrderCap()

    def of(self, switch: Switch) -> Setting:
        """How this one stands."""
        setting: Setting = getattr(self, switch.value)
        return setting

    def is_on(self, switch: Switch) -> bool:
        """Whether it is on for anybody."""
        return self.of(switch).on

    def is_on_for(self, switch: Switch, user_id: str) -> bool:
        """Whether it is on for this user."""
        setting = self.of(switch)
        return setting.on and share(switch, user_id) * 100 < setting.percent


def share(of: str, among: str) -> float:
    """Where somebody stands in a rollout: the same number in [0, 1) each time, evenly spread.

    Who is in at some percentage stays in at every larger one. Two rollouts choose independently.
    """
    digest = sha256(f"{of}/{among}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
