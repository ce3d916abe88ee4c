"""Base class and value types of settings that are read from the environment."""

import os
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Variables(BaseSettings):
    """The base of settings: an empty variable counts as missing, and no error quotes a value."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )


def is_in_the_cloud() -> bool:
    """Return whether Cloud Run runs this process.

    Cloud Run always sets K_SERVICE, and the local stack never does.
    """
    return "K_SERVICE" in os.environ


def _encrypted_in_the_cloud(url: str) -> str:
    """Require https in the cloud, because keys and patients' data are sent to this address."""
    if is_in_the_cloud() and not url.startswith("https://"):
        raise ValueError("must begin with https:// in the cloud")
    return url


def _fits_a_header(secret: SecretStr) -> SecretStr:
    """Refuse a secret that no header can hold: a line break at its end fails every request."""
    if not re.fullmatch(r"[\x21-\x7e]+", secret.get_secret_value()):
        raise ValueError("printable ASCII without spaces or line breaks, also at its end")
    return secret


def split(value: object) -> object:
    """Split a setting at commas, semicolons or line ends, and keep each term once."""
    if not isinstance(value, str):
        return value
    found = dict.fromkeys(" ".join(term.split()) for term in re.split(r"[,;\n]", value))
    return tuple(term for term in found if term)


def _plain_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[A-Za-z0-9._-]{2,40}", name) for name in names):
        raise ValueError("names of letters, digits, dots and hyphens, separated by commas")
    return names


URL = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s/?#]+([/?]\S*)?$"),
    AfterValidator(_encrypted_in_the_cloud),
]
HeaderSecret = Annotated[SecretStr, AfterValidator(_fits_a_header)]
Terms = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Names = Annotated[Terms, AfterValidator(_plain_names)]
