"""Parses the `multipart/related` body of a one-request upload: metadata and content."""

import json
import re
from typing import Any


class Malformed(Exception):
    """The body does not consist of the two parts metadata and content."""


def metadata_and_content(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Split `body` into the metadata and the content.

    Raises:
        Malformed: the body does not have two parts, or the first part is not JSON.
    """
    named = re.search(r'boundary="?([^";,]+)', content_type)
    if named is None:
        raise Malformed("No boundary.")
    boundary = b"--" + named[1].strip().encode()
    between = body.find(b"\r\n" + boundary + b"\r\n")
    end = body.rfind(b"\r\n" + boundary + b"--")
    if not body.startswith(boundary + b"\r\n") or not 0 < between < end:
        raise Malformed("Not two parts.")
    first = body[len(boundary) : between]
    second = body[between + 2 + len(boundary) : end]
    try:
        metadata = json.loads(_after_headers(first))
    except ValueError as error:
        raise Malformed("The first part is not JSON.") from error
    if not isinstance(metadata, dict):
        raise Malformed("The first part is not an object.")
    return metadata, _after_headers(second)


def _after_headers(part: bytes) -> bytes:
    _, blank_line, content = part.partition(b"\r\n\r\n")
    if not blank_line:
        raise Malformed("A part without headers.")
    return content
