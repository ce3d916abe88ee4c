"""Upload a recording to AssemblyAI, if the vendor cannot reach the bucket.

This is for a local bucket with a real key; the cloud uses signed URLs. A copy has its own URL, so
after a lost response `find` cannot recognize its paid job in the vendor's list.
"""

from assemblyai.api import ENDPOINT_UPLOAD as UPLOADS

from lumimd.adapters.assemblyai.fields import json_object, text_of
from lumimd.adapters.assemblyai.transcriber import called, http_client
from lumimd.domain import errors
from lumimd.domain.codes import ErrorCode
from lumimd.policies import retry


async def uploaded(api_key: str, base_url: str, content: bytes) -> str:
    """Upload a copy with retries by `retry.AUDIO`, and return its URL.

    Raises:
        Unreadable: the response has no URL.
        Transient: AssemblyAI does not answer.
    """
    async with http_client(api_key, base_url) as client:

        async def make() -> str:
            response = await client.http_client.post(UPLOADS, content=content)
            url = text_of(json_object(response.content).get("upload_url"))
            if not url:
                raise errors.Unreadable(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
            return url

        return await called(retry.AUDIO, make)
