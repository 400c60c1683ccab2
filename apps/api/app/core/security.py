"""
Access tokens of Supabase Auth: whose they are, decided by us and without the network.

Pure functions over keys. A key brings its own algorithm; the token's header only says which key
to look for. That closes algorithm confusion: a public key is never used as an HMAC secret, and
`none` is no algorithm of any key.

Source of the claims: supabase/auth, `internal/tokens` (see `iss`, `aud`, `role`, `session_id`).
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from app.domain.users import Identity, InvalidToken, User, display_name

#: Clocks of two machines differ; more than this is a broken clock, not a valid token.
LEEWAY_S = 10
ASYMMETRIC = ("ES256", "RS256")
SHARED = "HS256"
#: Of a token that we sign: long enough for one call, with clocks that differ.
MINTED_LIFE = timedelta(minutes=5)
#: RFC 7519 has no limit; Supabase's tokens are 1 to 4 KiB, and headers end at 64 KiB anyway.
MAX_TOKEN_LENGTH = 16_384
_EXPIRED = "The access token has expired; get a new one with refresh."
#: What PyJWT, `UUID` and `datetime` raise for claims that are signed, and still nonsense.
_REFUSED = (
    jwt.InvalidTokenError,
    ValueError,
    TypeError,
    ArithmeticError,
    AttributeError,
    OSError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token must say, besides having our signature."""

    issuer: str
    audience: str
    role: str = "authenticated"


@dataclass(frozen=True, slots=True)
class Header:
    """What an unverified token says of itself: good for finding a key, and for nothing else."""

    kid: str | None
    algorithm: str


def shared_key(secret: str) -> jwt.PyJWK:
    """The key of a project that still signs with its shared secret, for HS256 only."""
    encoded = urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    return jwt.PyJWK({"kty": "oct", "k": encoded}, algorithm=SHARED)


def minter(secret: str, rules: Rules) -> Callable[[UUID], str]:
    """
    Makes short-lived access tokens for users, as Supabase itself would under its shared secret.

    For a service of the same project, asked on behalf of a user who is not there.
    """

    def mint(user_id: UUID) -> str:
        now = datetime.now(UTC)
        claims = {
            "sub": str(user_id),
            "iss": rules.issuer,
            "aud": rules.audience,
            "role": rules.role,
            "iat": now,
            "exp": now + MINTED_LIFE,
        }
        return jwt.encode(claims, secret, SHARED)

    return mint


def parse_key_set(document: object) -> dict[str, jwt.PyJWK]:
    """
    The signing keys of a JWKS document by `kid`; what cannot verify our tokens is left out.

    A shared secret is never published, so an empty set is what HS256 projects answer.

    Raises:
        ValueError: this is no JWKS.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a JWKS document")  # noqa: TRY004  it is data, not a caller's type
    keys = (_signing_key(entry) for entry in listed)
    return {key.key_id: key for key in keys if key is not None and key.key_id}


def header_of(token: str) -> Header:
    """Raises InvalidToken when it is not a JWT."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidToken("The access token is too long to be one.")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise InvalidToken("The access token is malformed.") from error
    kid, algorithm = header.get("kid"), header.get("alg")
    return Header(kid if isinstance(kid, str) else None, str(algorithm))


def verify(token: str, key: jwt.PyJWK, rules: Rules) -> Identity:
    """
    Who the bearer of *token* is.

    The public `anon` key of a project is itself a JWT under the shared secret; it lacks `sub`
    and has another role, so it is refused like any other stranger.

    Raises InvalidToken, which never says more than a client needs: log the cause.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=rules.audience,
            issuer=rules.issuer,
            leeway=LEEWAY_S,
            options={"require": ["sub", "exp", "iss", "aud", "role"]},
        )
        return _identity(token, claims, rules)
    except jwt.ExpiredSignatureError as error:
        raise InvalidToken(_EXPIRED) from error
    except _REFUSED as error:
        raise InvalidToken("The access token does not hold.") from error


def require_unexpired(identity: Identity) -> None:
    """What `verify` decided once holds until then. Raises InvalidToken."""
    if datetime.now(UTC) >= identity.expires_at + timedelta(seconds=LEEWAY_S):
        raise InvalidToken(_EXPIRED)


def _identity(token: str, claims: Mapping[str, Any], rules: Rules) -> Identity:
    if claims["role"] != rules.role:
        raise ValueError("a token of another role")
    email = claims.get("email")
    email = email if isinstance(email, str) else ""
    metadata = claims.get("user_metadata")
    name = display_name(email, metadata if isinstance(metadata, dict) else {})
    return Identity(
        user=User(id=UUID(claims["sub"]), email=email, name=name),
        session_id=_uuid_or_none(claims.get("session_id")),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        token=token,
    )


def _signing_key(entry: object) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return key if key.algorithm_name in ASYMMETRIC and isinstance(key.key_id, str) else None


def _uuid_or_none(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
