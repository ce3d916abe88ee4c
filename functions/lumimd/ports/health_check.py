"""The question to a dependency whether it works."""

from collections.abc import Awaitable, Callable

Check = Callable[[], Awaitable[str]]
"""Asks a dependency whether it works; the answer is a few words for a person.

Raises whatever is wrong; `Unhealthy` where the dependency answers and is not well.
"""


class Unhealthy(Exception):
    """The dependency answers and says something that is wrong; the message is for a person."""
