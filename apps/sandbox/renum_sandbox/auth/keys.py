"""The ES256 key that signs access tokens, and its public half as a JWKS."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from renum_sandbox.state import State

ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        return self.private.public_key()

    def jwks(self) -> dict[str, Any]:
        """The public key set, as `/.well-known/jwks.json` answers it."""
        key = ECAlgorithm.to_jwk(self.public, as_dict=True)
        use = {"alg": ALGORITHM, "kid": self.kid, "use": "sig", "key_ops": ["verify"], "ext": True}
        return {"keys": [{**key, **use}]}


def load_or_make(state: State) -> SigningKey:
    """The stored key, else a new one, stored: tokens stay valid when the sandbox restarts."""
    stored = {row["key"]: row["value"] for row in state.all("SELECT key, value FROM meta")}
    if "signing_key" in stored:
        private = load_pem_private_key(stored["signing_key"].encode(), password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)  # noqa: S101  we wrote it
        return SigningKey(stored["signing_kid"], private)
    key = SigningKey(str(uuid4()), ec.generate_private_key(ec.SECP256R1()))
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with state.transaction():
        state.insert("meta", key="signing_key", value=pem.decode())
        state.insert("meta", key="signing_kid", value=key.kid)
    return key
