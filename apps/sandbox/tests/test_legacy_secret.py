"""Tokens of HS256, signed with a secret that the project has kept beside its new keys."""

import time
from collections.abc import Iterator

import httpx2
import jwt
import pytest

from renum_sandbox import constants
from renum_sandbox.testing import running_sandbox

SECRET = "the legacy secret of a project, which is long enough"


def legacy_token(secret: str = SECRET, **claims: object) -> str:
    """As a backend mints one for a user, with the project's legacy secret."""
    usual = {"sub": constants.ANA_ID, "aud": "authenticated", "exp": time.time() + 3600}
    kept = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(kept, secret, "HS256")


@pytest.fixture(scope="module")
def legacy(auth_of) -> Iterator:
    with running_sandbox(jwt_secret=SECRET) as sandbox, auth_of(sandbox) as legacy:
        yield legacy


def agents(auth, token: str, base: str = "/v1") -> httpx2.Response:
    return auth.http.get(f"{base}/agents", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("base", ["/api", "/a2/api", "/v1", "/gateway/api"])
def test_suna_takes_a_token_without_a_session(legacy, base) -> None:
    answer = agents(legacy, legacy_token(), base)
    assert answer.json()["pagination"]["total"] == 6


def test_the_account_is_the_user(legacy) -> None:
    minted = {"Authorization": f"Bearer {legacy_token()}"}
    signed_in = {"Authorization": f"Bearer {legacy.login()['access_token']}"}
    start = legacy.http.post("/v1/agent/start", data={"prompt": "Hi"}, headers=minted).json()
    run = f"/v1/agent-run/{start['agent_run_id']}"
    assert legacy.http.get(run, headers=signed_in).status_code == 200
    other = {"Authorization": f"Bearer {legacy_token(sub=constants.BRUNO_ID)}"}
    assert legacy.http.get(run, headers=other).status_code == 403


def test_a_user_who_has_never_signed_in_has_the_same_agents(legacy) -> None:
    token = legacy_token(sub="0e000000-0000-4000-8000-000000000009")
    assert agents(legacy, token).json()["pagination"]["total"] == 6
    assert legacy.code(legacy.user(token)) == (403, "user_not_found")


def test_auth_takes_it_too(legacy) -> None:
    assert legacy.user(legacy_token()).json()["email"] == constants.ANA_EMAIL


def test_a_logout_without_a_session_is_global(legacy) -> None:
    token = legacy.login()["access_token"]
    assert legacy.logout(legacy_token(), scope="local").status_code == 204
    assert legacy.code(legacy.user(token)) == (403, "session_not_found")


def test_a_banned_user_is_refused(legacy) -> None:
    token = legacy_token(sub="0d000000-0000-4000-8000-000000000004")
    assert legacy.code(legacy.user(token)) == (403, "user_banned")


@pytest.mark.parametrize(
    "token",
    [
        legacy_token("another secret that is long enough for HS256"),
        legacy_token(aud="anon"),
        legacy_token(sub=None, aud=None, iss="supabase", role="anon"),
        legacy_token(exp=None),
        legacy_token(exp=1),
        jwt.encode({"sub": constants.ANA_ID, "aud": "authenticated"}, "", "none"),
        "garbage",
    ],
)
def test_others_are_refused(legacy, token) -> None:
    assert agents(legacy, token).status_code == 401
    assert legacy.code(legacy.user(token)) == (403, "bad_jwt")


def test_the_key_chooses_the_algorithm(legacy) -> None:
    """A token that names the public key is never checked with the secret."""
    (key,) = legacy.http.get("/auth/v1/.well-known/jwks.json").json()["keys"]
    claims = {"sub": constants.ANA_ID, "aud": "authenticated", "exp": time.time() + 3600}
    forged = jwt.encode(claims, SECRET, "HS256", headers={"kid": key["kid"]})
    assert agents(legacy, forged).status_code == 401


def test_the_new_keys_go_on(legacy) -> None:
    assert agents(legacy, legacy.login()["access_token"]).status_code == 200


def test_without_the_secret_nothing_of_it_is_good(auth) -> None:
    assert agents(auth, legacy_token()).status_code == 401
