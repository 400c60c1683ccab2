"""
What Supabase Auth answers, put into our words. Pure: no network, no clock.

Four error bodies exist (libraries.md §1.4, from the source of supabase/auth):
today's `{"code": 400, "error_code": "..."}`, the versioned `{"code": "..."}`, the old
`{"error": "..."}`, and whatever the gateway in front says, JSON or not.
"""

import json
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any
from uuid import UUID

from app.domain.errors import RenumError
from app.domain.users import (
    AuthRateLimited,
    AuthUnavailable,
    CaptchaFailed,
    EmailNotConfirmed,
    InvalidCredentials,
    InvalidRefreshToken,
    LoginUnavailable,
    Session,
    User,
    UserBanned,
    display_name,
)

ERROR_CODE_HEADER = "x-sb-error-code"
CONFLICT = "conflict"


class Grant(Enum):
    PASSWORD = auto()
    REFRESH = auto()


_Refusal = tuple[type[RenumError], str]
_WRONG: _Refusal = (InvalidCredentials, "The e-mail or the password is wrong.")
_SPENT: _Refusal = (
    InvalidRefreshToken,
    "The refresh token is used, expired or unknown: log in again.",
)
_BANNED: _Refusal = (UserBanned, "This account is banned.")
_LIMITED: _Refusal = (AuthRateLimited, "Too many sign-in attempts: wait, then try again.")

_REFUSALS: dict[Grant, dict[str, _Refusal]] = {
    Grant.PASSWORD: {
        "invalid_credentials": _WRONG,
        "invalid_grant": _WRONG,
        "validation_failed": _WRONG,
        "user_not_found": _WRONG,
        "email_not_confirmed": (EmailNotConfirmed, "Confirm your e-mail address first."),
        "captcha_failed": (CaptchaFailed, "Send the captcha_token of a solved captcha."),
        "email_provider_disabled": (
            LoginUnavailable,
            "Signing in by password is switched off in the Supabase project.",
        ),
    },
    Grant.REFRESH: {
        "refresh_token_not_found": _SPENT,
        "refresh_token_already_used": _SPENT,
        "session_not_found": _SPENT,
        "session_expired": _SPENT,
        "validation_failed": _SPENT,
        "invalid_grant": _SPENT,
        "invalid_request": _SPENT,
        "user_not_found": _SPENT,
    },
}


def parse_json(body: bytes) -> object:
    """The parsed body, or None for what is no JSON: pages of gateways, cut-off bodies."""
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed


def error_code(body: object, headers: Mapping[str, str]) -> str | None:
    """The code to decide on; None when only a gateway spoke. Never decide on the message."""
    fields = body if isinstance(body, dict) else {}
    candidates = (
        fields.get("code"),  # an int in today's shape: the status once more
        fields.get("error_code"),
        headers.get(ERROR_CODE_HEADER),
        fields.get("error"),
    )
    return next((c for c in candidates if isinstance(c, str) and c), None)


def refusal(grant: Grant, status: int, code: str | None) -> RenumError | None:
    """The error to raise for a refused grant; None when Supabase is at fault, not the caller."""
    if status == 429:
        found: _Refusal | None = _LIMITED
    elif code == "user_banned":
        found = _BANNED
    else:
        found = _REFUSALS[grant].get(code or "") if status < 500 else None
    if found is None:
        return None
    error, message = found
    return error(message)


def parse_session(body: object, *, now: float) -> Session:
    """
    The session in a 200 of `/token`; *now* in Unix seconds, for servers without `expires_at`.

    Raises:
        ValueError: this is no session.
    """
    try:
        fields: dict[str, Any] = dict(_object(body))
        expires_in = int(fields["expires_in"])
        return Session(
            access_token=_text(fields["access_token"]),
            refresh_token=_text(fields["refresh_token"]),
            expires_in=expires_in,
            expires_at=int(fields.get("expires_at") or now + expires_in),
            user=_user(_object(fields["user"])),
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"not a session: {error!r}") from error


def unavailable(reason: str) -> AuthUnavailable:
    """Supabase's fault; *reason* is for people who run Renum and holds nothing secret."""
    return AuthUnavailable(f"Supabase Auth is unavailable: {reason}. Try again shortly.")


def _user(fields: Mapping[str, Any]) -> User:
    email = fields.get("email")
    email = email if isinstance(email, str) else ""
    metadata = fields.get("user_metadata")
    name = display_name(email, metadata if isinstance(metadata, dict) else {})
    return User(id=UUID(_text(fields["id"])), email=email, name=name)


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("not text")
    return value
