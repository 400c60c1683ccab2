"""Supabase Auth's answers in our words: four shapes of errors, and anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.users import (
    AuthRateLimited,
    CaptchaFailed,
    EmailNotConfirmed,
    InvalidCredentials,
    InvalidRefreshToken,
    LoginUnavailable,
    Session,
    UserBanned,
)
from app.infra.supabase.answers import Grant, error_code, parse_json, parse_session, refusal

SESSION = {
    "access_token": "a.b.c",
    "token_type": "bearer",
    "expires_in": 3600,
    "expires_at": 1_795_000_000,
    "refresh_token": "abcdefghijkl",
    "user": {
        "id": "0a4a0000-0000-4000-8000-000000000001",
        "email": "ana@renum.example",
        "user_metadata": {"full_name": "Ana Souza"},
    },
    "weak_password": {"reasons": ["length"]},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        # Today's shape: `code` is the status once more.
        ({"code": 400, "error_code": "invalid_credentials", "msg": "?"}, {}, "invalid_credentials"),
        # The versioned one.
        ({"code": "user_banned", "message": "?"}, {}, "user_banned"),
        # The old one.
        ({"error": "invalid_grant", "error_description": "?"}, {}, "invalid_grant"),
        # A gateway's.
        ({"message": "No API key found in request"}, {}, None),
        (None, {}, None),
        ([], {}, None),
        # The order, where several speak.
        ({"code": "a", "error_code": "b", "error": "d"}, {"x-sb-error-code": "c"}, "a"),
        ({"code": 1, "error_code": "b", "error": "d"}, {"x-sb-error-code": "c"}, "b"),
        ({"code": 1, "error": "d"}, {"x-sb-error-code": "c"}, "c"),
        ({"code": "", "error_code": None, "error": ["x"]}, {}, None),
    ],
)
def test_the_code_is_found_in_every_shape(
    body: object, headers: dict[str, str], code: str | None
) -> None:
    assert error_code(body, headers) == code


@pytest.mark.parametrize(
    ("grant", "status", "code", "error"),
    [
        (Grant.PASSWORD, 400, "invalid_credentials", InvalidCredentials),
        (Grant.PASSWORD, 400, "invalid_grant", InvalidCredentials),
        (Grant.PASSWORD, 400, "validation_failed", InvalidCredentials),
        (Grant.PASSWORD, 400, "email_not_confirmed", EmailNotConfirmed),
        (Grant.PASSWORD, 400, "user_banned", UserBanned),
        (Grant.PASSWORD, 403, "user_banned", UserBanned),
        (Grant.PASSWORD, 400, "captcha_failed", CaptchaFailed),
        (Grant.PASSWORD, 422, "email_provider_disabled", LoginUnavailable),
        (Grant.PASSWORD, 429, "over_request_rate_limit", AuthRateLimited),
        (Grant.PASSWORD, 429, None, AuthRateLimited),
        (Grant.REFRESH, 400, "refresh_token_not_found", InvalidRefreshToken),
        (Grant.REFRESH, 400, "refresh_token_already_used", InvalidRefreshToken),
        (Grant.REFRESH, 400, "session_not_found", InvalidRefreshToken),
        (Grant.REFRESH, 400, "session_expired", InvalidRefreshToken),
        (Grant.REFRESH, 400, "validation_failed", InvalidRefreshToken),
        (Grant.REFRESH, 400, "invalid_request", InvalidRefreshToken),
        (Grant.REFRESH, 400, "user_banned", UserBanned),
        (Grant.REFRESH, 429, None, AuthRateLimited),
        # Not the caller's fault.
        (Grant.PASSWORD, 401, None, None),
        (Grant.PASSWORD, 500, "unexpected_failure", None),
        (Grant.PASSWORD, 500, "invalid_credentials", None),
        (Grant.PASSWORD, 409, "conflict", None),
        (Grant.REFRESH, 400, "from_the_future", None),
        (Grant.REFRESH, 400, "email_not_confirmed", None),
        (Grant.REFRESH, 302, None, None),
    ],
)
def test_a_refusal_is_the_callers_fault_or_supabases(
    grant: Grant, status: int, code: str | None, error: type[Exception] | None
) -> None:
    assert type(refusal(grant, status, code)) is (error or type(None))


def test_a_session_is_read() -> None:
    session = parse_session(SESSION, now=0)
    assert isinstance(session, Session)
    assert (session.access_token, session.refresh_token) == ("a.b.c", "abcdefghijkl")
    assert (session.expires_in, session.expires_at) == (3600, 1_795_000_000)
    assert (session.user.email, session.user.name) == ("ana@renum.example", "Ana Souza")


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"user_metadata": {"name": "Ana"}}, "Ana"),
        ({"user_metadata": {"full_name": "  "}}, "ana"),
        ({"user_metadata": None}, "ana"),
        ({"email": None, "user_metadata": {}}, ""),
    ],
)
def test_everybody_has_a_name(user: dict[str, object], name: str) -> None:
    body = {**SESSION, "user": {**SESSION["user"], **user}}
    assert parse_session(body, now=0).user.name == name


def test_an_older_server_names_no_end() -> None:
    body = {name: value for name, value in SESSION.items() if name != "expires_at"}
    assert parse_session(body, now=1000.5).expires_at == 4600


@pytest.mark.parametrize("field", ["access_token", "refresh_token", "expires_in", "user"])
@pytest.mark.parametrize("value", [None, "", [], {}])
def test_half_a_session_is_none(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_session({**SESSION, field: value}, now=0)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_answer_is_survived(body: bytes) -> None:
    parsed = parse_json(body)
    code = error_code(parsed, {})
    for grant in Grant:
        refusal(grant, 400, code)


@given(st.fixed_dictionaries({name: json_values | st.just(SESSION[name]) for name in SESSION}))
def test_any_success_is_a_session_or_none(body: dict[str, object]) -> None:
    try:
        session = parse_session(body, now=0)
    except ValueError:
        return
    assert session.access_token
    assert session.refresh_token


def test_a_body_nested_too_deep_is_none() -> None:
    assert parse_json(b"[" * 100_000) is None
