"""How hard property tests try: `ci` the same examples each time, `nightly` ten times as many."""

import os
from typing import Final

from hypothesis import settings

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "ci")
FACTORS: Final = {"ci": 1, "nightly": 10}


def load_profile() -> None:
    """Choose the profile that the environment names.

    Raises:
        KeyError: there is no such profile.
    """
    settings.register_profile("ci", deadline=None, derandomize=True, database=None)
    settings.register_profile("nightly", deadline=None, max_examples=1_000, print_blob=True)
    settings.load_profile(PROFILE)


def examples(number: int, *, nightly: int | None = None) -> int:
    """`number` of examples in CI, and more by night: ten times as many, or `nightly`."""
    if nightly is not None:
        return times(number, nightly=nightly)
    return number * FACTORS[PROFILE]


def times(number: int, *, nightly: int) -> int:
    """The size of a heavy repetition: `number` in CI, and `nightly` by night."""
    return nightly if PROFILE == "nightly" else number
