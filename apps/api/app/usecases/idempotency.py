"""Requests that carry an Idempotency-Key: the first answer is given again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from app.domain.idempotency import KEPT, Once, Replayed, StoredAnswer
from app.usecases.ports import Database, Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Idempotent(Generic[T]):
    """
    Wraps a write: `look` before anything is asked of others, `begin` in its transaction before
    anything is written, `keep` when it is done.

    Without a key none of them does anything.
    """

    once: Once | None
    #: What is answered when the write has this result.
    answer: Callable[[T], StoredAnswer]
    user_id: UUID
    now: datetime

    async def look(self, db: Database) -> None:
        """Raises Replayed, IdempotencyKeyReused, IdempotencyKeyInProgress."""
        if self.once:
            async with db.transaction() as tx:
                await self.begin(tx)

    async def begin(self, tx: Transaction) -> None:
        """From here on nobody else works with this key until the transaction ends. Raises as
        `look` does."""
        if self.once:
            since = self.now - KEPT
            if stored := await tx.idempotency.claim(self.user_id, self.once, since=since):
                raise Replayed(stored)

    async def keep(self, tx: Transaction, result: T) -> None:
        """Commits with the write."""
        if self.once:
            await tx.idempotency.keep(self.user_id, self.once, self.answer(result), now=self.now)
