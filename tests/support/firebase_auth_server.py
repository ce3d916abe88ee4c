"""A stub of the two Google services that token verification calls: certificates and users.

The server signs tokens with its own key and serves the certificate as Google does, so that
the SDK checks real signatures.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import firebase_admin
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from firebase_admin import auth, credentials
from google.auth.credentials import AnonymousCredentials

ISSUER = "https://securetoken.google.com/"
KEY_ID = "key-1"


class Anonymous(credentials.Base):
    def get_credential(self) -> Any:
        return AnonymousCredentials()


@cache
def _key() -> rsa.RSAPrivateKey:
    """Make one key for all servers, because making a key takes longer than a whole test."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class FirebaseAuthServer:
    """Issues tokens, and answers the SDK's requests about them."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.key = _key()
        self.users: dict[str, dict[str, Any]] = {}
        self.is_down = False
        self.host = ""

    def issue(
        self,
        user_id: str,
        *,
        admin: bool = False,
        audience: str | None = None,
        valid_for: timedelta = timedelta(hours=1),
        age: timedelta = timedelta(),
        key: Any = None,
        algorithm: str = "RS256",
    ) -> str:
        issued_at = datetime.now(UTC) - age
        project = audience or self.project
        claims = {
            "iss": ISSUER + project,
            "aud": project,
            "sub": user_id,
            "iat": issued_at,
            "exp": issued_at + valid_for,
            **({"admin": True} if admin else {}),
        }
        self.users.setdefault(user_id, {"localId": user_id, "validSince": "0"})
        signing = None if algorithm == "none" else key or self.key
        return jwt.encode(claims, signing, algorithm=algorithm, headers={"kid": KEY_ID})

    def revoke(self, user_id: str) -> None:
        self.users[user_id]["validSince"] = str(int(datetime.now(UTC).timestamp()))

    def disable(self, user_id: str) -> None:
        self.users[user_id]["disabled"] = True

    def certificate(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securetoken")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def app(self) -> firebase_admin.App:
        """Return an app of the SDK that calls this server in place of Google."""
        app = firebase_admin.initialize_app(
            Anonymous(), options={"projectId": self.project}, name=f"test-{self.host}"
        )
        client = auth._get_client(app)
        client._token_verifier.id_token_verifier.cert_url = f"http://{self.host}/certs"
        client._user_manager.base_url = f"http://{self.host}/v1/projects/{self.project}"
        return app


@contextmanager
def firebase_auth_server(project: str) -> Iterator[FirebaseAuthServer]:
    state = FirebaseAuthServer(project)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({KEY_ID: state.certificate()})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            users = [state.users[uid] for uid in asked["localId"] if uid in state.users]
            self._answer({"users": users} if users else {})

        def _answer(self, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(503 if state.is_down else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
