"""Who is calling: the facts of a verified access token, and what signing in gives."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.errors import BadRequest, Forbidden, LimitReached, Unauthenticated, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person as Supabase Auth knows them."""

    id: UUID
    email: str
    #: `user_metadata.full_name`, else `name`, else the local part of the e-mail.
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A verified access token, or API key."""

    user: User
    session_id: UUID | None
    #: When it has to be verified anew; a token ends then.
    expires_at: datetime
    token: str
    #: What an API key may do; None for a person who has signed in, who may do everything.
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Signed in: the tokens, their life in seconds, and the user."""

    access_token: str
    refresh_token: str
    expires_in: int
    #: Unix time in seconds, as Supabase gives it.
    expires_at: int
    user: User


def display_name(email: str, metadata: dict[str, object]) -> str:
    """The name to show for a user whose `user_metadata` may hold one (api.md §2)."""
    for key in ("full_name", "name"):
        value = metadata.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return email.partition("@")[0]


class InvalidCredentials(Unauthenticated):
    """Wrong e-mail or password; the same answer for an unknown user."""

    code = "invalid_credentials"
    title = "Wrong e-mail or password"


class InvalidToken(Unauthenticated):
    """The access token is missing, malformed, expired, or not ours."""

    code = "invalid_token"
    title = "The access token does not hold"


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is unknown, used, or its session has ended."""

    code = "invalid_refresh_token"
    title = "The refresh token does not hold"


class AmbiguousRefreshToken(BadRequest):
    """Header and body carry different refresh tokens."""

    code = "ambiguous_refresh_token"
    title = "Two different refresh tokens"


class CaptchaFailed(BadRequest):
    """Supabase asks for a captcha, and the one given did not pass."""

    code = "captcha_failed"
    title = "Captcha failed"


class EmailNotConfirmed(Forbidden):
    """The password is right, but the e-mail address was never confirmed."""

    code = "email_not_confirmed"
    title = "E-mail not confirmed"


class UserBanned(Forbidden):
    """The account is banned."""

    code = "user_banned"
    title = "Account banned"


class AuthRateLimited(LimitReached):
    """Supabase Auth limits sign-ins; it gives no time, so we name one."""

    code = "auth_rate_limited"
    title = "Too many sign-in attempts"
    retry_after_s = 30


class AuthUnavailable(Unavailable):
    """Supabase Auth is away, or refuses our API key."""

    code = "auth_unavailable"
    title = "Authentication service unavailable"


class LoginUnavailable(Unavailable):
    """Signing in by password is switched off in the Supabase project."""

    code = "login_unavailable"
    title = "Password sign-in is switched off"
    retry_after_s = 60
