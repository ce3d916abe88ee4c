"""The base of all stored documents: snake_case in Python, camelCase in Firestore.

Stored names are camelCase for the clients in Swift, Kotlin and JavaScript. Only this module
converts names.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Document(BaseModel):
    """A frozen value with methods that convert it to and from its stored form."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        # A document that a newer release wrote may have fields that this release does not know.
        extra="ignore",
        # A validation error must never quote the words of a visit.
        hide_input_in_errors=True,
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy of this value in which the fields of `update` are replaced.

        Raises:
            AttributeError: `update` names an unknown field, which would be lost silently.
        """
        unknown = (update or {}).keys() - type(self).model_fields.keys()
        if unknown:
            raise AttributeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        return super().model_copy(update=update, deep=deep)

    def to_stored(self) -> dict[str, Any]:
        """Return this value as camelCase data; instants stay `datetime`, unset fields are None."""
        return self.model_dump(by_alias=True)

    @classmethod
    def from_stored(cls, stored: dict[str, Any]) -> Self:
        """Read a value from the form that `to_stored` returns.

        Raises:
            pydantic.ValidationError: the stored data does not fit this class.
        """
        return cls.model_validate(stored)
