"""What was answered to requests with an Idempotency-Key."""

from datetime import datetime
from uuid import UUID

from app.domain.idempotency import (
    IdempotencyKeyInProgress,
    IdempotencyKeyReused,
    Once,
    StoredAnswer,
)
from app.infra.db.connection import Connection


class IdempotencyStore:
    """The `IdempotencyKeys` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, user_id: UUID, once: Once, *, since: datetime) -> StoredAnswer | None:
        # First the lock, in a statement of its own: what the other one has committed must be seen.
        cursor = await self._connection.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS mine",
            (f"idempotency {user_id} {once.key}",),
        )
        row = await cursor.fetchone()
        if not (row and row["mine"]):
            raise IdempotencyKeyInProgress("The first request with this key is still in progress.")
        cursor = await self._connection.execute(
            """
            SELECT fingerprint, status, location, body FROM renum.idempotency_keys
             WHERE user_id = %s AND key = %s AND created_at >= %s
            """,
            (user_id, once.key, since),
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        if row["fingerprint"] != once.fingerprint:
            raise IdempotencyKeyReused
        return StoredAnswer(row["status"], row["location"], row["body"])

    async def keep(self, user_id: UUID, once: Once, answer: StoredAnswer, *, now: datetime) -> None:
        await self._connection.execute(
            """
            INSERT INTO renum.idempotency_keys AS k
                   (user_id, key, fingerprint, status, location, body, created_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (user_id, key) DO UPDATE  -- one that is no longer kept
               SET fingerprint = excluded.fingerprint, status = excluded.status,
                   location = excluded.location, body = excluded.body,
                   created_at = excluded.created_at
            """,
            (user_id, once.key, once.fingerprint, answer.status, answer.location, answer.body, now),
        )

    async def prune(self, before: datetime, *, limit: int) -> int:
        cursor = await self._connection.execute(
            """
            DELETE FROM renum.idempotency_keys WHERE (user_id, key) IN (
                SELECT user_id, key FROM renum.idempotency_keys
                 WHERE created_at < %s ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
            )
            """,
            (before, limit),
        )
        return cursor.rowcount
