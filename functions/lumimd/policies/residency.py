"""Data residency: deployments in Europe, and only these, call endpoints in Europe.

A provider processes data in the region of its endpoint. The variables in Terraform check the same
rule.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Region = Literal["us", "eu"]


@dataclass(frozen=True)
class Endpoint:
    """An address that receives recordings or transcripts, and the variable that sets the address.

    `domain` is the domain of the provider, and `in_europe` its host in Europe. `own_server` is the
    region of a server outside that domain, because the address of such a server names no region.
    """

    variable: str
    url: str
    domain: str
    in_europe: str
    own_server: Region | None = None

    def misplaced(self, location: str) -> str | None:
        """Return the problem with calling this endpoint from a Google region, or None."""
        host = (urlsplit(self.url).hostname or "").rstrip(".")
        is_provider = host == self.domain or host.endswith(f".{self.domain}")
        works_in_europe = host == self.in_europe if is_provider else self.own_server == "eu"
        if is_european(location) and not works_in_europe:
            return f"not a European endpoint, and the deployment is in {location}"
        if works_in_europe and not is_european(location):
            return f"a European endpoint, and the deployment is in {location}"
        return None


def is_european(location: str) -> bool:
    """Whether a Google region, such as `europe-west3`, is in Europe."""
    return location.startswith("europe-")
