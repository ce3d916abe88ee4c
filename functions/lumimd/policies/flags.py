"""Feature flags: kill switches and percentage rollouts.

Every instance reads one document, `ops/flags`, a few times a minute (`coordination/flags.py`). A
flag that the document does not name is on, so that everything works without the document.
"""

from enum import StrEnum
from hashlib import sha256
from typing import Final

from pydantic import Field

from lumimd.domain.document import Document

KEY: Final = "flags"


class Switch(StrEnum):
    """The closed list of flags. The one place that checks a flag defines the meaning of off."""

    PROCESSING = "processing"
    SUMMARIES_BY_MODEL = "summaries_by_model"
    WEBHOOKS = "webhooks"
    PROVIDER_COPIES_DELETED = "provider_copies_deleted"


PER_USER: Final = frozenset({Switch.PROCESSING, Switch.SUMMARIES_BY_MODEL, Switch.WEBHOOKS})
"""The flags that may be on for a percentage of the users."""


class Setting(Document):
    """The setting of one flag: off for all users, or on for `percent` of the users."""

    on: bool = True
    percent: float = Field(100, ge=0, le=100)


class OrderCap(Document):
    """The most new orders (paid jobs) an hour (`coordination/admission/hourly_cap.py`), or None."""

    per_hour: int | None = Field(None, ge=1)


class Flags(Document):
    """The settings of all flags."""

    processing: Setting = Setting()
    summaries_by_model: Setting = Setting()
    webhooks: Setting = Setting()
    provider_copies_deleted: Setting = Setting()
    order_cap: OrderCap = OrderCap()

    def of(self, switch: Switch) -> Setting:
        """Return the setting of this flag."""
        setting: Setting = getattr(self, switch.value)
        return setting

    def is_on(self, switch: Switch) -> bool:
        """Whether the flag is on at all; its share of users is not applied."""
        return self.of(switch).on

    def is_on_for(self, switch: Switch, user_id: str) -> bool:
        """Whether the flag is on for this user."""
        setting = self.of(switch)
        return setting.on and share(switch, user_id) * 100 < setting.percent


def share(of: str, among: str) -> float:
    """Return the position of `among` in the rollout `of`: a uniform, repeatable number in [0, 1).

    A user in a rollout at some percentage stays in the rollout at every larger percentage. Two
    rollouts choose their users independently.
    """
    digest = sha256(f"{of}/{among}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
