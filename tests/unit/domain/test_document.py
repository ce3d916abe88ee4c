"""Test the base class of all stored documents."""

import pytest

from lumimd.domain.document import Document


class Sample(Document):
    name: str = "a"


def test_copying_a_document_with_an_unknown_field_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Sample has no nmae"):
        Sample().model_copy(update={"nmae": "b"})


def test_a_copy_of_a_document_has_the_new_value_of_a_known_field() -> None:
    assert Sample().model_copy(update={"name": "b"}) == Sample(name="b")
    assert Sample().model_copy() == Sample()
