"""The configuration of a deployment that applies to the visits of its users."""

from dataclasses import dataclass
from datetime import timedelta

from lumimd.policies.tiers import Tier


@dataclass(frozen=True)
class Policy:
    """The configuration of a deployment that applies to the visits of its users.

    `bucket` holds the recordings; None if recordings are not reconciled with visits. `default_tier`
    is the tier of users without a stored tier. `transcript_retention`: None keeps transcripts and
    summaries until they are deleted.
    """

    bucket: str | None = None
    default_tier: Tier = Tier.FREE
    requires_consent: bool = True
    expires_after: timedelta = timedelta(days=7)
    audio_retention: timedelta = timedelta(days=30)
    transcript_retention: timedelta | None = None
