"""The contract of `Tokens`: one suite for the local tokens and for Firebase's SDK.

The SDK checks real signatures. It fetches the certificate and the user's record from a local
server (`tests/support/firebase_auth_server.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import firebase_admin
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lumimd.adapters.google.auth import FirebaseTokens
from lumimd.adapters.local_tokens import LocalTokens
from lumimd.domain.errors import Transient
from lumimd.ports.tokens import TokenFault, TokenRefused, Tokens, User
from lumimd.runtime.services import SystemClock
from tests.support.firebase_auth_server import FirebaseAuthServer, firebase_auth_server
from tests.support.user_ids import USER_IDS

PROJECT = "demo-lumimd"
SECRET = "a secret of these tests, and of no other test"


@dataclass
class Auth:
    """A verifier of tokens, and the issuer whose tokens the verifier accepts."""

    tokens: Tokens
    issuer: Any


@pytest.fixture
def firebase() -> Iterator[FirebaseAuthServer]:
    with firebase_auth_server(PROJECT) as server:
        yield server


@pytest.fixture
def sdk(firebase: FirebaseAuthServer) -> Iterator[FirebaseTokens]:
    app = firebase.app()
    yield FirebaseTokens(app, SystemClock())
    firebase_admin.delete_app(app)


@pytest.fixture(params=["local", "firebase"])
def auth(request: pytest.FixtureRequest) -> Auth:
    if request.param == "local":
        tokens = LocalTokens(SECRET, PROJECT, SystemClock())
        return Auth(tokens, tokens)
    return Auth(request.getfixturevalue("sdk"), request.getfixturevalue("firebase"))


async def fault(tokens: Tokens, token: str) -> TokenFault:
    with pytest.raises(TokenRefused) as refused:
        await tokens.verify(token)
    # The message may end up in a log.
    assert token not in str(refused.value)
    return refused.value.fault


async def test_verify_returns_the_user_of_a_valid_token(auth: Auth) -> None:
    assert await auth.tokens.verify(auth.issuer.issue("u1")) == User("u1")


async def test_an_admin_claim_makes_the_user_an_operator(auth: Auth) -> None:
    assert await auth.tokens.verify(auth.issuer.issue("u1", admin=True)) == User("u1", True)


async def test_an_expired_token_is_refused_as_expired(auth: Auth) -> None:
    token = auth.issuer.issue("u1", age=timedelta(hours=2))
    assert await fault(auth.tokens, token) is TokenFault.EXPIRED


async def test_a_token_of_another_project_is_refused(auth: Auth) -> None:
    token = auth.issuer.issue("u1", audience="another-project")
    assert await fault(auth.tokens, token) is TokenFault.INVALID


async def test_a_token_issued_before_the_user_was_signed_out_is_refused(auth: Auth) -> None:
    token = auth.issuer.issue("u1", age=timedelta(minutes=1))
    await auth.tokens.verify(token)
    auth.issuer.revoke("u1")
    assert await fault(auth.tokens, token) is TokenFault.REVOKED
    assert await auth.tokens.verify(auth.issuer.issue("u1"))


async def test_the_token_of_a_disabled_user_is_refused(auth: Auth) -> None:
    token = auth.issuer.issue("u1")
    auth.issuer.disable("u1")
    assert await fault(auth.tokens, token) is TokenFault.DISABLED


@pytest.mark.parametrize("token", ["x", "a.b.c", "ä.ö.ü", "\x00", "e30.e30.", "." * 4000])
async def test_a_string_that_is_not_a_token_is_refused(auth: Auth, token: str) -> None:
    assert await fault(auth.tokens, token) is TokenFault.INVALID


@pytest.mark.parametrize("user_id", ["../users", "a/b", "..", "__x__", "a b", "a%b", "ü", "a\n"])
async def test_a_user_id_with_characters_unusable_in_a_path_is_refused(
    auth: Auth, user_id: str
) -> None:
    assert await fault(auth.tokens, auth.issuer.issue(user_id)) is TokenFault.UNUSABLE_USER_ID


@pytest.mark.parametrize("user_id", ["", "x" * 129])
async def test_an_empty_or_overlong_user_id_is_refused(auth: Auth, user_id: str) -> None:
    refused = (TokenFault.INVALID, TokenFault.UNUSABLE_USER_ID)
    assert await fault(auth.tokens, auth.issuer.issue(user_id)) in refused


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_a_user_id_of_any_sign_in_provider_is_accepted(auth: Auth, user_id: str) -> None:
    assert await auth.tokens.verify(auth.issuer.issue(user_id)) == User(user_id)


async def test_a_token_with_changed_claims_is_refused(auth: Auth) -> None:
    head, _, signature = auth.issuer.issue("u1").split(".")
    _, claims, _ = auth.issuer.issue("u2", admin=True).split(".")
    assert await fault(auth.tokens, f"{head}.{claims}.{signature}") is TokenFault.INVALID


@pytest.mark.parametrize("claimed", ["true", 1, {"yes": True}, None, False])
async def test_only_the_claim_value_true_makes_an_operator(auth: Auth, claimed: object) -> None:
    token = auth.issuer.issue("u1")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"admin": claimed}
    if isinstance(auth.issuer, LocalTokens):
        forged = jwt.encode(claims, SECRET, algorithm="HS256")
    else:
        headers = jwt.get_unverified_header(token)
        forged = jwt.encode(claims, auth.issuer.key, algorithm="RS256", headers=headers)
    assert await auth.tokens.verify(forged) == User("u1", is_admin=False)


async def test_a_token_that_is_not_signed_is_refused(
    sdk: FirebaseTokens, firebase: FirebaseAuthServer
) -> None:
    token = firebase.issue("u1", algorithm="none")
    assert await fault(sdk, token) is TokenFault.INVALID
    local = LocalTokens(SECRET, PROJECT, SystemClock())
    assert await fault(local, token) is TokenFault.INVALID


async def test_a_token_that_another_key_has_signed_is_refused(
    sdk: FirebaseTokens, firebase: FirebaseAuthServer
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert await fault(sdk, firebase.issue("u1", key=key)) is TokenFault.INVALID


async def test_the_token_of_a_deleted_user_is_refused(
    sdk: FirebaseTokens, firebase: FirebaseAuthServer
) -> None:
    token = firebase.issue("u1")
    del firebase.users["u1"]
    assert await fault(sdk, token) is TokenFault.REVOKED


async def test_a_token_that_cannot_be_verified_now_is_transient(
    sdk: FirebaseTokens, firebase: FirebaseAuthServer
) -> None:
    firebase.is_down = True
    with pytest.raises(Transient):
        await sdk.verify(firebase.issue("u1"))


async def test_unsigned_tokens_of_the_emulator_are_accepted_until_they_expire(
    sdk: FirebaseTokens, firebase: FirebaseAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", firebase.host)
    assert await sdk.verify(firebase.issue("u1", algorithm="none")) == User("u1")
    expired = firebase.issue("u1", algorithm="none", age=timedelta(hours=2))
    assert await fault(sdk, expired) is TokenFault.EXPIRED
