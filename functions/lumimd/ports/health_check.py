"""The health check of a dependency."""

from collections.abc import Awaitable, Callable

Check = Callable[[], Awaitable[str]]
"""A function that checks a dependency and returns a few words for a person.

It raises any error of its call, and `Unhealthy` if the dependency answers that something is wrong.
"""


class Unhealthy(Exception):
    """The dependency answers that something is wrong; the message is for a person."""
