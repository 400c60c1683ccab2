"""
A write that is done once, however often it is asked for (api.md §1; the IETF's draft
"The Idempotency-Key HTTP Header Field").
"""

from dataclasses import dataclass
from datetime import timedelta

from app.domain.errors import Conflict, Invalid

#: After that a key may be used for something else.
KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Once:
    """What a client calls its request, and what that request is."""

    key: str
    #: SHA-256 of what is asked for: the operation, its path and its body.
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered the first time."""

    status: int
    location: str
    body: bytes


class IdempotencyKeyReused(Invalid):
    """The key was used for another request within 24 hours; take a new one."""

    code = "idempotency_key_reused"
    title = "The Idempotency-Key belongs to another request"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request within 24 hours; take a new one.", ()
        )


class IdempotencyKeyInProgress(Conflict):
    """The first request with this key is still being worked on; ask again in a moment."""

    code = "idempotency_key_in_progress"
    title = "The first request is still in progress"
    retry_after_s = 1


class Replayed(Exception):
    """It was done before: *answer* is what was said then."""

    def __init__(self, answer: StoredAnswer) -> None:
        self.answer = answer
        super().__init__(answer.location)
