"""The base of all stored documents: snake_case in Python, camelCase in Firestore.

Clients are Swift, Kotlin and JavaScript, so stored names are camelCase. Only this module converts
them.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Document(BaseModel):
    """A frozen value that knows its stored form."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        # A document written by a newer release may carry fields that this one does not know.
        extra="ignore",
        # A validation error must never quote the words of a visit.
        hide_input_in_errors=True,
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """This value with other values of some fields.

        Raises:
            AttributeError: `update` names an unknown field, which would be lost silently.
        """
        unknown = (update or {}).keys() - type(self).model_fields.keys()
        if unknown:
            raise AttributeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        return super().model_copy(update=update, deep=deep)

    def to_stored(self) -> dict[str, Any]:
        """This value as plain camelCase data; instants stay `datetime`, unset fields are None."""
        return self.model_dump(by_alias=True)

    @classmethod
    def from_stored(cls, stored: dict[str, Any]) -> Self:
        """The inverse of `to_stored`.

        Raises:
            pydantic.ValidationError: the stored data is not such a document.
        """
        return cls.model_validate(stored)
