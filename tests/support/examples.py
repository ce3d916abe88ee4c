"""Set how many examples property tests run: fixed ones in `ci`, ten times more in `nightly`."""

import os
from typing import Final

from hypothesis import settings

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "ci")
FACTORS: Final = {"ci": 1, "nightly": 10}


def load_profile() -> None:
    """Choose the profile that the environment names.

    Raises:
        KeyError: the name of the profile is unknown.
    """
    settings.register_profile("ci", deadline=None, derandomize=True, database=None)
    settings.register_profile("nightly", deadline=None, max_examples=1_000, print_blob=True)
    settings.load_profile(PROFILE)


def examples(number: int, *, nightly: int | None = None) -> int:
    """Return `number` in CI; in nightly runs ten times as many, or `nightly` if it is given."""
    if nightly is not None:
        return times(number, nightly=nightly)
    return number * FACTORS[PROFILE]


def times(number: int, *, nightly: int) -> int:
    """Return how often to repeat an expensive step: `number` in CI, `nightly` in nightly runs."""
    return nightly if PROFILE == "nightly" else number
