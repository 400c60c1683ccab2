"""
The official Python client of Supabase Auth against the sandbox: what it expects, holds.

Run by test_official_client.py in an environment of its own, because the client pins an HTTP
library that ours must not have. Writes the name of every step that has passed; a line
`forward SECONDS` asks the test to move the sandbox's clock, and an empty line answers it.

    python official_client.py SANDBOX_URL API_KEY PASSWORD
"""

import json
import sys
from base64 import urlsafe_b64encode

from supabase_auth import SyncGoTrueClient
from supabase_auth.errors import (
    AuthApiError,
    AuthError,
    AuthInvalidJwtError,
    AuthRetryableError,
    AuthSessionMissingError,
)

URL, API_KEY, PASSWORD = sys.argv[1:]
ANA = "ana@renum.example"


def client(**headers: str) -> SyncGoTrueClient:
    """A client of its own for every device; without a timer that refreshes behind our back."""
    return SyncGoTrueClient(
        url=f"{URL}/auth/v1", headers={"apikey": API_KEY, **headers}, auto_refresh_token=False
    )


def sign_in(device: SyncGoTrueClient, email: str = ANA, password: str = PASSWORD):
    return device.sign_in_with_password({"email": email, "password": password}).session


def faulty(fault: str) -> SyncGoTrueClient:
    return client(**{"X-Sandbox-Fault": fault})


def error_of(call, *arguments, kind: type[AuthError] = AuthApiError, **named) -> AuthError:
    try:
        outcome = call(*arguments, **named)
    except AuthError as error:
        outcome = error
    assert type(outcome) is kind, f"{kind.__name__} was expected, not {outcome!r}"
    return outcome


def refused(call, *arguments, **named) -> tuple[int, str | None]:
    error = error_of(call, *arguments, **named)
    return error.status, error.code


def forward(seconds: int) -> None:
    sys.stdout.write(f"forward {seconds}\n")
    sys.stdout.flush()
    sys.stdin.readline()


def a_password_opens_a_session() -> None:
    device = client()
    session = sign_in(device)
    assert session.token_type == "bearer"
    assert session.expires_in == 3600
    assert session.user.email == ANA
    assert session.user.email_confirmed_at is not None
    assert session.user.user_metadata["full_name"] == "Ana Souza"
    assert [identity.provider for identity in session.user.identities] == ["email"]
    assert device.get_session() == session


def people_who_may_not_in_are_told_why() -> None:
    assert refused(sign_in, client(), ANA, "wrong") == (400, "invalid_credentials")
    assert refused(sign_in, client(), "nobody@renum.example") == (400, "invalid_credentials")
    unconfirmed = refused(sign_in, client(), "carla.unconfirmed@renum.example")
    assert unconfirmed == (400, "email_not_confirmed")
    assert refused(sign_in, client(), "davi.banned@renum.example") == (400, "user_banned")


def the_user_of_a_token_is_known() -> None:
    device = client()
    session = sign_in(device)
    assert device.get_user().user.id == session.user.id
    assert client().get_user(session.access_token).user.id == session.user.id
    assert client().get_user() is None


def a_refresh_rotates() -> None:
    device = client()
    first = sign_in(device)
    second = device.refresh_session().session
    assert second.refresh_token != first.refresh_token
    assert device.get_session() == second
    assert device.refresh_session().session.refresh_token != second.refresh_token


def an_answer_that_was_lost_comes_again() -> None:
    first = sign_in(client())
    second = client().refresh_session(first.refresh_token).session
    forward(60)
    again = client().refresh_session(first.refresh_token).session
    assert again.refresh_token == second.refresh_token


def a_real_reuse_revokes() -> None:
    first = sign_in(client())
    second = client().refresh_session(first.refresh_token).session
    third = client().refresh_session(second.refresh_token).session
    forward(11)
    reused = refused(client().refresh_session, first.refresh_token)
    assert reused == (400, "refresh_token_already_used")
    gone = refused(client().refresh_session, third.refresh_token)
    assert gone == (400, "refresh_token_not_found")
    assert refused(client().get_user, third.access_token) == (403, "session_not_found")


def a_refresh_without_a_token_is_no_call() -> None:
    error_of(client().refresh_session, kind=AuthSessionMissingError)


def scopes_of_a_sign_out() -> None:
    for scope, mine_lives, other_lives in (
        ("local", False, True),
        ("others", True, False),
        ("global", False, False),
    ):
        device, elsewhere = client(), client()
        mine, other = sign_in(device), sign_in(elsewhere)
        device.sign_out({"scope": scope})
        for session, lives in ((mine, mine_lives), (other, other_lives)):
            if lives:
                assert client().get_user(session.access_token).user.email == ANA
            else:
                gone = refused(client().get_user, session.access_token)
                assert gone == (403, "session_not_found")
        assert (device.get_session() is not None) == mine_lives


def claims_are_verified_with_the_published_keys() -> None:
    session = sign_in(client())
    verified = client().get_claims(session.access_token)
    claims = verified["claims"]
    assert verified["headers"]["alg"] == "ES256"
    assert claims["sub"] == session.user.id
    assert claims["aud"] == "authenticated"
    assert claims["iss"] == f"{URL}/auth/v1"
    head, payload, signature = session.access_token.split(".")
    forged = f"{head}.{payload}.{signature[:-8]}{'A' * 8}"
    error_of(client().get_claims, forged, kind=AuthInvalidJwtError)


def tokens_that_are_none() -> None:
    expired = sign_in(client())
    forward(3601)
    assert refused(client().get_user, expired.access_token) == (403, "bad_jwt")
    assert refused(client().get_user, "a.b.c") == (403, "bad_jwt")
    error_of(client().get_claims, "garbage", kind=AuthInvalidJwtError)
    parts = ({"alg": "ES256", "typ": "JWT", "kid": "x"}, {"exp": 1}, {})
    old = ".".join(urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
    error_of(client().get_claims, old, kind=AuthInvalidJwtError)


def faults_are_what_the_client_takes_them_for() -> None:
    for fault, status in (("503", 503), ("html", 502)):
        error = error_of(sign_in, faulty(fault), kind=AuthRetryableError)
        assert error.status == status
    error_of(sign_in, faulty("drop-answer"), kind=AuthRetryableError)
    for fault, expected in (
        ("500", (500, "unexpected_failure")),
        ("429", (429, "over_request_rate_limit")),
        ("conflict", (409, "conflict")),
        ("old-shape", (400, None)),
        ("gateway-401", (401, None)),
    ):
        assert refused(sign_in, faulty(fault)) == expected, fault
    assert sign_in(faulty("weak-password")).user.email == ANA


STEPS = (
    a_password_opens_a_session,
    people_who_may_not_in_are_told_why,
    the_user_of_a_token_is_known,
    a_refresh_rotates,
    an_answer_that_was_lost_comes_again,
    a_real_reuse_revokes,
    a_refresh_without_a_token_is_no_call,
    scopes_of_a_sign_out,
    claims_are_verified_with_the_published_keys,
    faults_are_what_the_client_takes_them_for,
    # Last: it moves the clock by an hour.
    tokens_that_are_none,
)

if __name__ == "__main__":
    for step in STEPS:
        step()
        sys.stdout.write(f"{step.__name__}\n")
        sys.stdout.flush()
