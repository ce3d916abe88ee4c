"""The routes of Firebase Storage (`/v0/b/BUCKET/o`), as the SDKs for web, iOS and Android use them.

The protocol has no public reference. The sources are the JavaScript SDK
(github.com/firebase/firebase-js-sdk, packages/storage/src/implementation/requests.ts) and
Google's emulator (firebase-tools, src/emulator/storage/apis/firebase.ts).
"""

import asyncio
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import jwt
from google.api_core.exceptions import PreconditionFailed
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from infra.local.firebase_storage.access import Upload, caller, may_create, may_read
from infra.local.firebase_storage.bucket import Bucket
from infra.local.firebase_storage.multipart import Malformed, metadata_and_content
from infra.local.firebase_storage.sessions import Session, Sessions

OBJECTS: Final = "/v0/b/{bucket}/o"
_EXPOSED: Final = [
    *("X-Goog-Upload-Status", "X-Goog-Upload-URL", "X-Goog-Upload-Size-Received"),
    *("X-Goog-Upload-Command", "X-Goog-Upload-Chunk-Granularity"),
]


class Denied(HTTPException):
    """The security rules do not allow the request."""

    def __init__(self) -> None:
        super().__init__(403, "Permission denied.")


def create_app(bucket: Bucket, sessions: Sessions, origins: Sequence[str] = ()) -> Starlette:
    """Create the server as an ASGI app that web pages of `origins` may call."""
    storage = FirebaseStorage(bucket, sessions)
    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route(OBJECTS, storage.write, methods=["POST", "PUT"]),
            Route(OBJECTS, refuse, methods=["GET"]),  # no rule allows listing
            Route(OBJECTS + "/{path:path}", storage.read, methods=["GET"]),
            Route(OBJECTS + "/{path:path}", refuse, methods=["DELETE", "PATCH", "POST", "PUT"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=list(origins),
                allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                allow_headers=["*"],
                expose_headers=_EXPOSED,
            )
        ],
        exception_handlers={HTTPException: error_response},
    )


async def healthz(_: Request) -> Response:
    """Respond that the server is up."""
    return PlainTextResponse("ok")


async def refuse(_: Request) -> Response:
    """Refuse a request that no security rule allows: list, delete or change."""
    raise Denied


async def error_response(_: Request, error: Any) -> Response:
    """Return an error response in the format of Google's APIs."""
    body = {"error": {"code": error.status_code, "message": error.detail}}
    return JSONResponse(body, status_code=error.status_code)


class FirebaseStorage:
    """Handles downloads, and uploads in one request or in many."""

    def __init__(self, bucket: Bucket, sessions: Sessions) -> None:
        self._bucket = bucket
        self._sessions = sessions

    async def read(self, request: Request) -> Response:
        """Return the metadata of an object, or the object itself with `alt=media`."""
        user_id, path = self._caller(request), request.path_params["path"]
        if not may_read(user_id, path):
            raise Denied
        if request.query_params.get("alt") == "media":
            found = await asyncio.to_thread(self._bucket.content, path)
            if found is not None:
                return Response(found[0], media_type=found[1])
        elif (metadata := await asyncio.to_thread(self._bucket.metadata, path)) is not None:
            return JSONResponse(metadata)
        raise HTTPException(404, "Not Found.")

    async def write(self, request: Request) -> Response:
        """Create an object in one request, or do one step of a resumable upload."""
        user_id = self._caller(request)
        session_id = request.query_params.get("upload_id")
        if session_id is not None:
            session = self._sessions.get(session_id)
            if session is None:
                raise HTTPException(404, "There is no such upload.")
            return await self._step(request, session)
        if request.headers.get("x-goog-upload-protocol") == "multipart":
            return await self._whole(request, user_id)
        if request.headers.get("x-goog-upload-command") == "start":
            return await self._start(request, user_id)
        raise HTTPException(400, "Neither multipart nor resumable.")

    async def _whole(self, request: Request, user_id: str | None) -> Response:
        try:
            metadata, content = metadata_and_content(
                request.headers.get("content-type", ""), await request.body()
            )
        except Malformed as error:
            raise HTTPException(400, str(error)) from error
        upload = Upload(_path(request), str(metadata.get("contentType", "")), len(content))
        return JSONResponse(
            await self._create(user_id, upload, io.BytesIO(content), _custom(metadata))
        )

    async def _start(self, request: Request, user_id: str | None) -> Response:
        try:
            metadata = json.loads(await request.body() or b"{}")
            size = int(request.headers.get("x-goog-upload-header-content-length", "0"))
        except ValueError as error:
            raise HTTPException(400, "No metadata, or no length.") from error
        announced_type = request.headers.get("x-goog-upload-header-content-type", "")
        upload = Upload(_path(request), str(metadata.get("contentType") or announced_type), size)
        if user_id is None or not may_create(user_id, upload):
            raise Denied
        if await asyncio.to_thread(self._bucket.metadata, upload.path) is not None:
            raise Denied
        session = self._sessions.open(user_id, upload, _custom(metadata))
        query = f"name={quote(upload.path, safe='')}&upload_id={session.id}"
        url = f"{request.url.replace(query='')}?{query}&upload_protocol=resumable"
        return _active(session, {"X-Goog-Upload-URL": url, "X-Goog-Upload-Control-URL": url})

    async def _step(self, request: Request, session: Session) -> Response:
        words = request.headers.get("x-goog-upload-command", "").split(",")
        commands = {word.strip() for word in words}
        if "cancel" in commands:
            self._sessions.drop(session)
            return Response(headers={"X-Goog-Upload-Status": "cancelled"})
        if session.final is None and "upload" in commands:
            try:
                offset = int(request.headers.get("x-goog-upload-offset", ""))
                await session.append(offset, request.stream())
            except ClientDisconnect:
                return Response(status_code=400)  # the client is gone
            except ValueError as error:
                raise HTTPException(400, f"{session.received} bytes are here.") from error
        if session.final is None and "finalize" in commands:
            await self._finalize(session)
        if session.final is None:
            return _active(session, {})
        return JSONResponse(session.final, headers=_status("final", session))

    async def _finalize(self, session: Session) -> None:
        upload = replace(session.announced, size=session.received)
        try:
            with session.file.open("rb") as content:
                final = await self._create(session.user_id, upload, content, session.custom)
        except Denied:
            self._sessions.drop(session)
            raise
        self._sessions.finish(session, final)

    async def _create(
        self, user_id: str | None, upload: Upload, content: Any, custom: dict[str, str]
    ) -> dict[str, Any]:
        if not may_create(user_id, upload):
            raise Denied
        try:
            return await asyncio.to_thread(self._bucket.create, upload, content, custom)
        except PreconditionFailed as error:
            raise Denied from error

    def _caller(self, request: Request) -> str | None:
        if request.path_params["bucket"] != self._bucket.name:
            raise HTTPException(404, "There is no such bucket here.")
        try:
            return caller(request.headers.get("authorization"))
        except jwt.InvalidTokenError as error:
            raise HTTPException(401, "This is no ID token.") from error


def _path(request: Request) -> str:
    return request.query_params.get("name", "")


def _custom(metadata: dict[str, Any]) -> dict[str, str]:
    found = metadata.get("metadata")
    return {str(key): str(value) for key, value in found.items()} if found else {}


def _active(session: Session, headers: dict[str, str]) -> Response:
    return Response(headers=_status("active", session) | headers)


def _status(status: str, session: Session) -> dict[str, str]:
    return {
        "X-Goog-Upload-Status": status,
        "X-Goog-Upload-Size-Received": str(session.received),
        "X-Goog-Upload-Chunk-Granularity": "262144",
    }
