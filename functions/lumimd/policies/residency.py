"""Data residency: a deployment in Europe calls its providers in Europe, and no other does.

A provider processes data in the region of the endpoint: AssemblyAI (cloud endpoints and data
residency: `api.eu.assemblyai.com`), OpenAI (data residency: `https://eu.api.openai.com/v1`, with a
key of a project in that region). Terraform's variables check the same.
"""

from typing import Final, Literal
from urllib.parse import urlsplit

Region = Literal["us", "eu"]

IN_EUROPE: Final = ("api.eu.assemblyai.com", "eu.api.openai.com")
OF_PROVIDERS: Final = ("assemblyai.com", "openai.com")


def is_european(location: str) -> bool:
    """Whether a region of Google's, such as `europe-west3`, is in Europe."""
    return location.startswith("europe-")


def misplaced(url: str, location: str, own_server: Region | None = None) -> str | None:
    """The problem with calling `url` from `location`, or None.

    `own_server`: the region of a server that is no provider's; its address does not state one.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    is_provider = any(host == name or host.endswith(f".{name}") for name in OF_PROVIDERS)
    works_in_europe = host in IN_EUROPE if is_provider else own_server == "eu"
    if is_european(location) and not works_in_europe:
        return f"not a European endpoint, and the deployment is in {location}"
    if works_in_europe and not is_european(location):
        return f"a European endpoint, and the deployment is in {location}"
    return None
