"""The contract of `Tokens`: one suite for the local tokens and for Firebase's SDK.

The SDK checks real signatures against a certificate that it fetches, and asks about the user, both
from a server of this test (`tests/support/firebase_auth_server.py`).
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
SECRET = "a secret of the tests, and of nobody else"


@dataclass
class Desk:
    """Who issues tokens, and who verifies them."""

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
def desk(request: pytest.FixtureRequest) -> Desk:
    if request.param == "local":
        tokens = LocalTokens(SECRET, PROJECT, SystemClock())
        return Desk(tokens, tokens)
    return Desk(request.getfixturevalue("sdk"), request.getfixturevalue("firebase"))


async def fault(tokens: Tokens, token: str) -> TokenFault:
    with pytest.raises(TokenRefused) as refused:
        await tokens.verify(token)
    # The message may end up in a log.
    assert token not in str(refused.value)
    return refused.value.fault


async def test_a_good_token_says_who_it_is(desk: Desk) -> None:
    assert await desk.tokens.verify(desk.issuer.issue("u1")) == User("u1")


async def test_an_operator_is_one_by_claim(desk: Desk) -> None:
    assert await desk.tokens.verify(desk.issuer.issue("u1", admin=True)) == User("u1", True)


async def test_an_expired_token_is_refused_as_such(desk: Desk) -> None:
    token = desk.issuer.issue("u1", age=timedelta(hours=2))
    assert await fault(desk.tokens, token) is TokenFault.EXPIRED


async def test_a_token_of_another_project_is_refused(desk: Desk) -> None:
    token = desk.issuer.issue("u1", audience="another-project")
    assert await fault(desk.tokens, token) is TokenFault.INVALID


async def test_a_token_from_before_the_user_was_signed_out_is_refused(desk: Desk) -> None:
    token = desk.issuer.issue("u1", age=timedelta(minutes=1))
    await desk.tokens.verify(token)
    desk.issuer.revoke("u1")
    assert await fault(desk.tokens, token) is TokenFault.REVOKED
    assert await desk.tokens.verify(desk.issuer.issue("u1"))


async def test_the_token_of_a_disabled_user_is_refused(desk: Desk) -> None:
    token = desk.issuer.issue("u1")
    desk.issuer.disable("u1")
    assert await fault(desk.tokens, token) is TokenFault.DISABLED


@pytest.mark.parametrize("token", ["x", "a.b.c", "ä.ö.ü", "\x00", "e30.e30.", "." * 4000])
async def test_what_is_no_token_is_refused(desk: Desk, token: str) -> None:
    assert await fault(desk.tokens, token) is TokenFault.INVALID


@pytest.mark.parametrize("user_id", ["../users", "a/b", "..", "__x__", "a b", "a%b", "ü", "a\n"])
async def test_an_id_that_no_path_may_have_is_refused_as_such(desk: Desk, user_id: str) -> None:
    assert await fault(desk.tokens, desk.issuer.issue(user_id)) is TokenFault.UNUSABLE_USER_ID


@pytest.mark.parametrize("user_id", ["", "x" * 129])
async def test_an_id_that_no_user_has_is_refused(desk: Desk, user_id: str) -> None:
    refused = (TokenFault.INVALID, TokenFault.UNUSABLE_USER_ID)
    assert await fault(desk.tokens, desk.issuer.issue(user_id)) in refused


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_an_id_of_another_sign_in_provider_is_as_good_as_one_of_firebase(
    desk: Desk, user_id: str
) -> None:
    assert await desk.tokens.verify(desk.issuer.issue(user_id)) == User(user_id)


async def test_a_changed_token_is_refused(desk: Desk) -> None:
    head, _, signature = desk.issuer.issue("u1").split(".")
    _, claims, _ = desk.issuer.issue("u2", admin=True).split(".")
    assert await fault(desk.tokens, f"{head}.{claims}.{signature}") is TokenFault.INVALID


@pytest.mark.parametrize("claimed", ["true", 1, {"yes": True}, None, False])
async def test_only_true_makes_an_operator(desk: Desk, claimed: object) -> None:
    token = desk.issuer.issue("u1")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"admin": claimed}
    if isinstance(desk.issuer, LocalTokens):
        forged = jwt.encode(claims, SECRET, algorithm="HS256")
    else:
        headers = jwt.get_unverified_header(token)
        forged = jwt.encode(claims, desk.issuer.key, algorithm="RS256", headers=headers)
    assert await desk.tokens.verify(forged) == User("u1", is_admin=False)


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


async def test_the_token_of_a_user_who_is_gone_is_refused(
    sdk: FirebaseTokens, firebase: FirebaseAuthServer
) -> None:
    token = firebase.issue("u1")
    del firebase.users["u1"]
    assert await fault(sdk, token) is TokenFault.REVOKED


async def test_while_nobody_can_tell_a_token_is_not_refused_but_to_be_tried_again(
    sdk: FirebaseTokens, firebase: FirebaseAuthServer
) -> None:
    firebase.is_down = True
    with pytest.raises(Transient):
        await sdk.verify(firebase.issue("u1"))


async def test_the_emulators_tokens_expire_although_they_are_not_signed(
    sdk: FirebaseTokens, firebase: FirebaseAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", firebase.host)
    assert await sdk.verify(firebase.issue("u1", algorithm="none")) == User("u1")
    expired = firebase.issue("u1", algorithm="none", age=timedelta(hours=2))
    assert await fault(sdk, expired) is TokenFault.EXPIRED
