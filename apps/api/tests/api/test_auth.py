"""Signing in and out over the API, as the specification writes it."""

from uuid import UUID

import httpx2
import pytest

from renum_sandbox import constants
from tests import tokens
from tests.api.conftest import SignIn

CREDENTIALS = {"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD}
ANA = {"id": constants.ANA_ID, "email": constants.ANA_EMAIL, "name": "Ana Souza"}


async def post(api: httpx2.AsyncClient, path: str, **more: object) -> httpx2.Response:
    return await api.post(f"/api/v1/auth/{path}", **more)


def assert_problem(answer: httpx2.Response, **expected: object) -> None:
    """The whole document, with the two fields that differ from request to request."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == problem.pop("request_id")
    assert problem.pop("instance") == answer.request.url.path
    assert problem.pop("type") == f"/errors/{problem['code']}"
    assert problem.pop("status") == answer.status_code
    assert problem == expected


# ---- login --------------------------------------------------------------------------------------


async def test_login(api: httpx2.AsyncClient) -> None:
    answer = await post(api, "login", json=CREDENTIALS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "expires_at",
        "refresh_token",
        "user",
    }
    assert body["token_type"] == "bearer"
    assert body["expires_in"] == 3600
    assert body["user"] == ANA


@pytest.mark.parametrize(
    ("email", "password"), [(constants.ANA_EMAIL, "hunter2"), ("no@renum.example", "hunter2")]
)
async def test_a_wrong_password_and_an_unknown_user_look_alike(
    api: httpx2.AsyncClient, email: str, password: str
) -> None:
    answer = await post(api, "login", json={"email": email, "password": password})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_problem(
        answer,
        code="invalid_credentials",
        title="Wrong e-mail or password",
        detail="The e-mail or the password is wrong.",
    )


@pytest.mark.parametrize(
    ("email", "code"),
    [
        (constants.UNCONFIRMED_EMAIL, "email_not_confirmed"),
        (constants.BANNED_EMAIL, "user_banned"),
    ],
)
async def test_login_that_is_not_allowed(api: httpx2.AsyncClient, email: str, code: str) -> None:
    answer = await post(api, "login", json=CREDENTIALS | {"email": email})
    assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("changes", "loc", "code", "message"),
    [
        ({"email": "ana"}, ["body", "email"], "string_pattern_mismatch", "must match "),
        ({"email": 7}, ["body", "email"], "string_type", "must be text"),
        ({"password": ""}, ["body", "password"], "string_too_short", "must have at least 1"),
        ({"password": "a\0b"}, ["body", "password"], "nul_character", "must not contain the NUL"),
        ({"pasword": "hunter2"}, ["body", "pasword"], "extra_forbidden", "is not a known field"),
    ],
)
async def test_login_with_a_bad_body(
    api: httpx2.AsyncClient, changes: dict[str, object], loc: list[str], code: str, message: str
) -> None:
    answer = await post(api, "login", json=CREDENTIALS | changes)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "validation_error"
    (error,) = problem["errors"]
    assert (error["loc"], error["code"]) == (loc, code)
    assert error["message"].startswith(message)
    assert constants.DEMO_PASSWORD not in answer.text
    assert "hunter2" not in answer.text


# ---- refresh ------------------------------------------------------------------------------------


async def refresh_token(api: httpx2.AsyncClient) -> str:
    answer = await post(api, "login", json=CREDENTIALS)
    return str(answer.json()["refresh_token"])


@pytest.mark.parametrize("where", ["header", "body", "both"])
async def test_refresh(api: httpx2.AsyncClient, where: str) -> None:
    token = await refresh_token(api)
    header = {"Authorization": f"Bearer {token}"} if where in ("header", "both") else {}
    body = {"json": {"refresh_token": token}} if where in ("body", "both") else {}
    answer = await post(api, "refresh", headers=header, **body)
    assert answer.status_code == 200
    session = answer.json()
    assert session["refresh_token"] != token
    me = await api.get(
        "/api/v1/auth/me", headers={"Authorization": f"Bearer {session['access_token']}"}
    )
    assert me.json() == session["user"] == ANA


async def test_two_different_refresh_tokens(api: httpx2.AsyncClient) -> None:
    token = await refresh_token(api)
    answer = await post(
        api,
        "refresh",
        headers={"Authorization": f"Bearer {token}"},
        json={"refresh_token": "abcdefghijkl"},
    )
    assert answer.status_code == 400
    assert_problem(
        answer,
        code="ambiguous_refresh_token",
        title="Two different refresh tokens",
        detail="The header and the body carry different refresh tokens.",
    )


@pytest.mark.parametrize("token", ["abcdefghijkl", "short", "x" * 513, tokens.shared()])
async def test_a_refresh_token_that_does_not_hold(api: httpx2.AsyncClient, token: str) -> None:
    for request in (
        {"headers": {"Authorization": f"Bearer {token}"}},
        {"json": {"refresh_token": token}},
    ):
        answer = await post(api, "refresh", **request)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"}]
)
async def test_refresh_without_a_token(api: httpx2.AsyncClient, header: dict[str, str]) -> None:
    answer = await post(api, "refresh", headers=header)
    assert answer.status_code == 401
    assert_problem(
        answer,
        code="unauthenticated",
        title="Authentication required",
        detail=("Send the refresh token, as Authorization: Bearer <refresh_token> or in the body."),
    )


@pytest.mark.parametrize("body", [{}, {"refresh_token": ""}, {"token": "abcdefghijkl"}, []])
async def test_refresh_with_a_bad_body(api: httpx2.AsyncClient, body: object) -> None:
    answer = await post(api, "refresh", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


# ---- logout and me ------------------------------------------------------------------------------


async def test_logout_ends_the_session(api: httpx2.AsyncClient) -> None:
    session = (await post(api, "login", json=CREDENTIALS)).json()
    header = {"Authorization": f"Bearer {session['access_token']}"}
    answer = await post(api, "logout", headers=header)
    assert (answer.status_code, answer.content) == (204, b"")
    refused = await post(api, "refresh", json={"refresh_token": session["refresh_token"]})
    assert refused.status_code == 401
    assert (await post(api, "logout", headers=header)).status_code == 204


async def test_me(api: httpx2.AsyncClient, sign_in: SignIn) -> None:
    answer = await api.get("/api/v1/auth/me", headers=await sign_in(constants.BRUNO_EMAIL))
    assert answer.status_code == 200
    assert UUID(answer.json()["id"]) == UUID(constants.BRUNO_ID)


@pytest.mark.parametrize(("method", "path"), [("GET", "me"), ("POST", "logout")])
async def test_without_a_token(api: httpx2.AsyncClient, method: str, path: str) -> None:
    answer = await api.request(method, f"/api/v1/auth/{path}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_problem(
        answer,
        code="unauthenticated",
        title="Authentication required",
        detail="Send an access token or an API key, as Authorization: Bearer <token>.",
    )


@pytest.mark.parametrize(("method", "path"), [("GET", "me"), ("POST", "logout")])
@pytest.mark.parametrize("token", ["nonsense", tokens.shared(), tokens.ecdsa().sign()])
async def test_with_a_token_that_does_not_hold(
    api: httpx2.AsyncClient, method: str, path: str, token: str
) -> None:
    header = {"Authorization": f"Bearer {token}"}
    answer = await api.request(method, f"/api/v1/auth/{path}", headers=header)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert token not in answer.text
