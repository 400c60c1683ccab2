"""Access tokens: JWTs with the claims of a Supabase project."""

from dataclasses import dataclass
from typing import Any

import jwt

from renum_sandbox.auth.keys import ALGORITHM, SigningKey
from renum_sandbox.auth.sessions import Session
from renum_sandbox.auth.users import User

AUDIENCE = "authenticated"
LEGACY_ALGORITHM = "HS256"


class BadToken(Exception):
    """Not a token of this sandbox, or one that is over; `expired` tells which."""

    def __init__(self, reason: str, *, expired: bool = False) -> None:
        self.expired = expired
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Claims:
    """`session_id` is None in a token that was not made by a sign-in."""

    user_id: str
    session_id: str | None


def mint(
    key: SigningKey, user: User, session: Session, *, issuer: str, now: float, lifetime_s: int
) -> tuple[str, int]:
    """An access token, signed with ES256, and the second since the epoch at which it expires."""
    issued_at = int(now)
    expires_at = issued_at + lifetime_s
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": user.id,
        "aud": AUDIENCE,
        "exp": expires_at,
        "iat": issued_at,
        "email": user.email,
        "phone": "",
        "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata,
        "role": AUDIENCE,
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": int(session.created_at)}],
        "session_id": session.id,
        "is_anonymous": False,
    }
    token = jwt.encode(claims, key.private, ALGORITHM, headers={"kid": key.kid})
    return token, expires_at


def verify(key: SigningKey, token: str, *, now: float, legacy_secret: str | None = None) -> Claims:
    """
    Who a token speaks for.

    With `legacy_secret`, tokens of HS256 that it has signed are good too, as in a project that
    keeps its old secret beside the new keys. The issuer is not compared: it names the port, and
    a token must survive a restart on another one.

    Raises:
        BadToken: signature, audience or time are wrong, or a claim is missing.
    """
    try:
        # The key chooses the algorithm, never the token: else anyone could sign with the public
        # key as a secret.
        ours = jwt.get_unverified_header(token).get("kid") == key.kid
        claims = jwt.decode(
            token,
            key.public if ours or legacy_secret is None else legacy_secret,
            [ALGORITHM if ours or legacy_secret is None else LEGACY_ALGORITHM],
            audience=AUDIENCE,
            # Times are compared below, by the sandbox's clock, which a test may move.
            options={"verify_exp": False, "verify_iat": False, "require": ["sub", "exp"]},
        )
        expires_at = float(claims["exp"])
    except (jwt.InvalidTokenError, TypeError, ValueError) as error:
        raise BadToken(str(error)) from error
    if now >= expires_at:
        raise BadToken("token is expired", expired=True)
    return Claims(user_id=claims["sub"], session_id=claims.get("session_id"))
