"""Test which ids are valid in a path: allowed characters, and not reserved by Firestore."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from lumimd.domain.ids import ID, RESERVED, is_id

NEAR = st.text(st.sampled_from("_a-."), max_size=12)
LONG = st.builds(
    lambda head, length, tail: f"{head}{'x' * length}{tail}",
    st.text(st.sampled_from("_a"), max_size=3),
    st.integers(119, 129),
    st.text(st.sampled_from("_a"), max_size=3),
)


class Sent(BaseModel):
    """A sample request body whose id pydantic validates as in the API."""

    id: str = Field(pattern=ID)


@given(NEAR | LONG)
@example("__x__")
@example("____")
@example("___")
def test_an_id_must_have_characters_allowed_in_a_path_and_not_be_reserved(text: str) -> None:
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,128}", text) is not None
    assert is_id(text) == (plain and re.fullmatch(RESERVED, text) is None)
    if is_id(text):
        assert Sent(id=text).id == text
    else:
        with pytest.raises(ValidationError):
            Sent(id=text)
