"""The health check of a dependency."""

from collections.abc import Awaitable, Callable

Check = Callable[[], Awaitable[str]]
"""Checks a dependency; the result is a few words for a person.

Raises any error of the call; `Unhealthy` if the dependency answers that something is wrong.
"""


class Unhealthy(Exception):
    """The dependency answers that something is wrong; the message is for a person."""
