"""Access tokens as Supabase signs them, and as it never would."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://ref.supabase.example/auth/v1"
SECRET = "a shared secret of at least 32 bytes"
USER_ID = "0a4a0000-0000-4000-8000-000000000001"
SESSION_ID = "5e550000-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Signer:
    """A private key with its public half, as it stands in a JWKS."""

    algorithm: str
    private: Any
    kid: str = field(default_factory=lambda: str(uuid4()))

    @property
    def jwk(self) -> dict[str, Any]:
        make = RSAAlgorithm if self.algorithm == "RS256" else ECAlgorithm
        public = make.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, **changes: Any) -> str:
        return signed(claims(**changes), self.private, self.algorithm, self.kid)


def ecdsa() -> Signer:
    return Signer("ES256", ec.generate_private_key(ec.SECP256R1()))


def rsa_key() -> Signer:
    return Signer("RS256", rsa.generate_private_key(65537, 2048))


def shared(secret: str = SECRET, **changes: Any) -> str:
    return signed(claims(**changes), secret, "HS256", "legacy")


def signed(payload: dict[str, Any], key: Any, algorithm: str, kid: str | None) -> str:
    """As bytes: `jwt.encode` would refuse to sign what only a broken server signs."""
    return jwt.PyJWS().encode(
        json.dumps(payload).encode(), key, algorithm, {"kid": kid} if kid else None
    )


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a signed-in user; a change to None leaves the claim out."""
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "sub": USER_ID,
        "aud": "authenticated",
        "exp": now + 3600,
        "iat": now,
        "email": "ana@renum.example",
        "role": "authenticated",
        "session_id": SESSION_ID,
        "user_metadata": {"full_name": "Ana Souza"},
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}
