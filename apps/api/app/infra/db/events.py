"""The event log: gap-free ids per user, in commit order (architecture §5)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic_core import to_json

from app.domain.events import Event
from app.domain.watching import EVERYTHING, Interest, StoredEvent
from app.infra.db.connection import Connection, Row

#: Rung with the user's id after every commit that wrote events.
DOORBELL = "renum_events"

# The upsert takes the user's row lock before anything is written and holds it to the commit.
_APPEND = """
WITH head AS (
    INSERT INTO renum.event_heads AS h (user_id, last_id) VALUES (%(user_id)s, %(n)s)
    ON CONFLICT (user_id) DO UPDATE SET last_id = h.last_id + %(n)s
    RETURNING last_id
), written AS (
    INSERT INTO renum.events (user_id, id, execution_id, type, data, created_at)
    SELECT %(user_id)s, head.last_id - %(n)s + e.n, e.execution_id, e.type, e.data::json, now()
      FROM head,
           unnest(%(execution_ids)s::uuid[], %(types)s::text[], %(data)s::text[])
           WITH ORDINALITY AS e (execution_id, type, data, n)
)
SELECT CASE WHEN %(notify)s THEN pg_notify(%(doorbell)s, %(user_id)s::text) END
"""


class EventStore:
    """The `Events` port."""

    def __init__(self, connection: Connection, *, notify: bool) -> None:
        """With *notify* the commit rings PostgreSQL's doorbell; else `rung` says whose to ring."""
        self._connection = connection
        self._notify = notify
        #: Users whose events were appended.
        self.rung: set[UUID] = set()
        self.appended: list[Event] = []

    async def lock(self, user_id: UUID) -> None:
        await self._connection.execute(
            """
            INSERT INTO renum.event_heads AS h (user_id, last_id) VALUES (%s, 0)
            ON CONFLICT (user_id) DO UPDATE SET last_id = h.last_id
            """,
            (user_id,),
        )

    async def append(self, user_id: UUID, events: Sequence[Event]) -> None:
        if not events:
            return
        await self._connection.execute(
            _APPEND,
            {
                "user_id": user_id,
                "n": len(events),
                "execution_ids": [getattr(e, "execution_id", None) for e in events],
                "types": [e.event_type for e in events],
                "data": [to_json(e).decode() for e in events],
                "doorbell": DOORBELL,
                "notify": self._notify,
            },
        )
        self.rung.add(user_id)
        self.appended += events

    async def after(
        self,
        user_id: UUID,
        event_id: int,
        *,
        limit: int,
        interest: Interest = EVERYTHING,
        up_to: int | None = None,
    ) -> list[StoredEvent]:
        conditions = ["user_id = %(user_id)s", "id > %(after)s"]
        if up_to is not None:
            conditions.append("id <= %(up_to)s")
        if interest.execution_ids is not None:
            conditions.append("execution_id = ANY(%(execution_ids)s)")
        if interest.types is not None:
            conditions.append("type = ANY(%(types)s)")
        cursor = await self._connection.execute(
            f"""
            SELECT id, type, execution_id, data::text AS data,
                   to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
                   -- By the clock that stamped it: no skew between machines is in it.
                   extract(epoch FROM clock_timestamp() - created_at)::float8 AS age_s
              FROM renum.events WHERE {" AND ".join(conditions)} ORDER BY id LIMIT %(limit)s
            """,
            {
                "user_id": user_id,
                "after": event_id,
                "up_to": up_to,
                "execution_ids": list(interest.execution_ids or ()),
                "types": list(interest.types or ()),
                "limit": limit,
            },
        )
        return [
            StoredEvent(_message(row), row["id"], row["type"], row["execution_id"], row["age_s"])
            for row in await cursor.fetchall()
        ]

    async def bounds(self, user_id: UUID) -> tuple[int, int]:
        cursor = await self._connection.execute(
            """
            SELECT last_id, coalesce(
                       (SELECT min(id) FROM renum.events WHERE user_id = h.user_id), last_id + 1
                   ) AS oldest_id
              FROM renum.event_heads h WHERE user_id = %s
            """,
            (user_id,),
        )
        row = await cursor.fetchone()
        return (row["last_id"], row["oldest_id"]) if row else (0, 1)

    async def users_before(self, before: datetime) -> list[UUID]:
        cursor = await self._connection.execute(
            "SELECT DISTINCT user_id FROM renum.events WHERE created_at < %s", (before,)
        )
        return [row["user_id"] for row in await cursor.fetchall()]

    async def prune(self, user_id: UUID, *, before: datetime, limit: int) -> int:
        # The time of an event is when its transaction began, so ids and times are not quite in
        # the same order: the first young one ends what goes, whatever comes after it.
        cursor = await self._connection.execute(
            """
            WITH first AS (
                SELECT id, created_at FROM renum.events WHERE user_id = %(user_id)s
                 ORDER BY id LIMIT %(limit)s
            )
            DELETE FROM renum.events
             WHERE user_id = %(user_id)s
               AND id < coalesce((SELECT min(id) FROM first WHERE created_at >= %(before)s),
                                 (SELECT max(id) + 1 FROM first))
            """,
            {"user_id": user_id, "before": before, "limit": limit},
        )
        return cursor.rowcount

    async def heads(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        cursor = await self._connection.execute(
            "SELECT user_id, last_id FROM renum.event_heads WHERE user_id = ANY(%s)",
            (list(user_ids),),
        )
        return {row["user_id"]: row["last_id"] for row in await cursor.fetchall()}


def _message(row: Row) -> bytes:
    """`data` is sent as it was stored: the event was serialised once, when it happened."""
    return (
        f'{{"type":"{row["type"]}","id":{row["id"]},"timestamp":"{row["at"]}",'
        f'"data":{row["data"]}}}'
    ).encode()
