"""Data residency: a deployment in Europe calls its providers in Europe, and no other does.

A provider processes data in the region of the endpoint. Terraform's variables check the same.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Region = Literal["us", "eu"]


@dataclass(frozen=True)
class Endpoint:
    """An address that receives recordings or transcripts, and the variable that sets it.

    `domain` is the provider's own, `in_europe` its host there. `own_server` is the region of a
    server outside that domain; its address does not state one.
    """

    variable: str
    url: str
    domain: str
    in_europe: str
    own_server: Region | None = None

    def misplaced(self, location: str) -> str | None:
        """The problem with calling this endpoint from a region of Google's, or None."""
        host = (urlsplit(self.url).hostname or "").rstrip(".")
        is_provider = host == self.domain or host.endswith(f".{self.domain}")
        works_in_europe = host == self.in_europe if is_provider else self.own_server == "eu"
        if is_european(location) and not works_in_europe:
            return f"not a European endpoint, and the deployment is in {location}"
        if works_in_europe and not is_european(location):
            return f"a European endpoint, and the deployment is in {location}"
        return None


def is_european(location: str) -> bool:
    """Whether a region of Google's, such as `europe-west3`, is in Europe."""
    return location.startswith("europe-")
