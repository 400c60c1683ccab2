"""API keys: what a user lets a machine do in their name."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from app.domain.errors import Forbidden, LimitReached, NotFound
from app.domain.users import User

#: What every key begins with, so that scanners for secrets and our own code know it.
MARK = "rk_"
#: 256 bits, as base64url.
_RANDOM_BYTES = 32
_SHOWN = 8
MAX_KEYS = 50


class Scope(StrEnum):
    """What may be done; none of them contains another."""

    #: Look at everything, and follow the live stream.
    READ = "read"
    #: Run, retry and cancel; plan and validate.
    EXECUTE = "execute"
    #: Make, change and delete teams; mark notifications.
    MANAGE = "manage"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of a key after it was made."""

    id: UUID
    user: User
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    def holds_at(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class KeySecret:
    """A key as its bearer has it; it is shown once."""

    text: str

    @classmethod
    def fresh(cls) -> Self:
        return cls(MARK + secrets.token_urlsafe(_RANDOM_BYTES))

    @property
    def prefix(self) -> str:
        return self.text[: len(MARK) + _SHOWN]

    @property
    def hash(self) -> bytes:
        """Unsalted and fast is right here: what is hashed is random."""
        return hashlib.sha256(self.text.encode()).digest()


class ApiKeyNotFound(NotFound):
    """No such API key of this user."""

    code = "api_key_not_found"
    title = "API key not found"

    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"There is no API key {key_id}.")


class TooManyApiKeys(LimitReached):
    """A user has as many API keys as one may have; delete one that is not used."""

    code = "too_many_api_keys"
    title = "Too many API keys"


class InsufficientScope(Forbidden):
    """The API key may not do this; make one with the scope, or sign in."""

    code = "insufficient_scope"
    title = "The API key may not do this"
