"""The base of messages that come from outside."""

from pydantic import (
    BaseModel,
    ConfigDict,
)
from pydantic.alias_generators import to_camel


class _Inbound(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="ignore", hide_input_in_errors=True
    )
