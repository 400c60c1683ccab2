"""Supabase Auth going wrong on request."""

from collections.abc import Iterator

import httpx2
import pytest

from renum_sandbox.faults import AUTH

NEW_SHAPE = {"X-Supabase-Api-Version": "2024-01-01"}


@pytest.fixture(autouse=True)
def no_faults(clocked_sandbox) -> Iterator[None]:
    yield
    clocked_sandbox.clear_faults()


@pytest.mark.parametrize("operation", sorted(AUTH))
@pytest.mark.parametrize(
    ("fault", "status", "error_code"),
    [
        ("500", 500, "unexpected_failure"),
        ("429", 429, "over_request_rate_limit"),
        ("503", 503, None),
        ("retry-after", 429, None),
        ("503-retry-after", 503, None),
        ("gateway-401", 401, None),
        ("html", 502, None),
        ("502", 502, None),
    ],
)
def test_a_refusal_comes_once(auth, clocked_sandbox, operation, fault, status, error_code) -> None:
    answer = auth.call(operation, **{"X-Sandbox-Fault": fault})
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("1" if "retry-after" in fault else None)
    if status == 502:
        assert answer.headers["content-type"].startswith("text/html")
    elif error_code is None:
        assert answer.json()["message"]
    else:
        assert auth.code(answer) == (status, error_code)
    assert auth.call(operation).is_success


def test_a_script_reaches_it_too(auth, clocked_sandbox) -> None:
    clocked_sandbox.script("auth-token:503x2,conflict")
    clocked_sandbox.fault("auth-jwks", "500")
    statuses = [auth.call("auth-token").status_code for _ in range(4)]
    assert statuses == [503, 503, 409, 200]
    assert auth.code(auth.call("auth-jwks")) == (500, "unexpected_failure")


def test_a_refusal_in_the_newer_shape(auth) -> None:
    answer = auth.call("auth-token", **NEW_SHAPE, **{"X-Sandbox-Fault": "conflict"})
    assert answer.json()["code"] == "conflict"


def test_the_older_shape_of_an_error(auth) -> None:
    answer = auth.call("auth-token", **{"X-Sandbox-Fault": "old-shape"})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid_grant",
        "error_description": "Invalid login credentials",
    }
    answer = auth.grant("refresh_token", {}, **{"X-Sandbox-Fault": "old-shape"})
    assert "Refresh Token Not Found" in answer.json()["error_description"]


def test_a_password_that_is_right_but_weak(auth) -> None:
    answer = auth.call("auth-token", **{"X-Sandbox-Fault": "weak-password"})
    assert answer.status_code == 200
    assert answer.json()["weak_password"]["reasons"] == ["length"]
    assert "weak_password" not in auth.login()


def test_an_answer_that_is_lost_has_rotated(auth, clocked_sandbox) -> None:
    token = auth.login()["refresh_token"]
    clocked_sandbox.fault("auth-token", "drop-answer")
    with pytest.raises(httpx2.RemoteProtocolError):
        auth.refresh(token)
    again = auth.refresh(token)
    assert "fail-to-save" in again.headers["sb-auth-refresh-token-reuse-cause"]


def test_garbage(auth) -> None:
    answer = auth.call("auth-user", **{"X-Sandbox-Fault": "garbage"})
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Unterminated string"):
        answer.json()


@pytest.mark.parametrize("fault", ["hang", "slow"])
def test_silence(auth, fault) -> None:
    headers = {"X-Sandbox-Fault": fault}
    with pytest.raises(httpx2.ReadTimeout):
        auth.http.get("/auth/v1/.well-known/jwks.json", headers=headers, timeout=0.05)
