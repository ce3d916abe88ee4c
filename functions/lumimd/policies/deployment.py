"""The choices of a deployment about the visits of its users."""

from dataclasses import dataclass
from datetime import timedelta

from lumimd.policies.tiers import Tier


@dataclass(frozen=True)
class Policy:
    """What a deployment decides about the visits of its users.

    `bucket` holds the recordings; None where nobody compares it with the visits.
    `default_tier` is the tier of users of whom nothing is stored.
    `transcript_retention`: None keeps transcripts and summaries until they are deleted.
    """

    bucket: str | None = None
    default_tier: Tier = Tier.FREE
    requires_consent: bool = True
    expires_after: timedelta = timedelta(days=7)
    audio_retention: timedelta = timedelta(days=30)
    transcript_retention: timedelta | None = None
