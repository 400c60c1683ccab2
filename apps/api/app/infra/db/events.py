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

# The parts of a statement that writes events. The upsert takes the user's row lock before anything
# else is written, and holds it to the commit.
HEAD = """
head AS (
    INSERT INTO renum.event_heads AS h (user_id, last_id)
    SELECT %(user_id)s, last_id + %(n)s FROM renum.event_floor
    ON CONFLICT (user_id) DO UPDATE SET last_id = h.last_id + %(n)s
    RETURNING last_id
)
"""
WRITTEN = """
told AS (
    SELECT head.last_id - %(n)s + e.n AS id, e.execution_id, e.type, e.data
      FROM head, ROWS FROM (
          json_to_recordset(%(events)s::json) AS (execution_id uuid, type text, data json)
      ) WITH ORDINALITY AS e (execution_id, type, data, n)
), written AS (
    INSERT INTO renum.events (user_id, id, execution_id, type, data, created_at)
    SELECT %(user_id)s, id, execution_id, type, data, now() FROM told
)
"""
RUNG = "CASE WHEN %(notify)s THEN pg_notify(%(doorbell)s, %(user_id)s::text) END"

_APPEND = f"WITH {HEAD}, {WRITTEN} SELECT {RUNG}"


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
            INSERT INTO renum.event_heads AS h (user_id, last_id)
            SELECT %s, last_id FROM renum.event_floor
            ON CONFLICT (user_id) DO UPDATE SET last_id = h.last_id
            """,
            (user_id,),
        )

    async def append(self, user_id: UUID, events: Sequence[Event]) -> None:
        if events:
            await self._connection.execute(_APPEND, self.telling(user_id, events))

    def telling(self, user_id: UUID, events: Sequence[Event]) -> Row:
        """The parameters of HEAD, WRITTEN and RUNG, for a statement that is executed next."""
        if events:
            self.rung.add(user_id)
            self.appended += events
        rows = [
            {"execution_id": getattr(e, "execution_id", None), "type": e.event_type, "data": e}
            for e in events
        ]
        return {
            "user_id": user_id,
            "n": len(events),
            "events": to_json(rows).decode(),
            "doorbell": DOORBELL,
            "notify": self._notify and bool(events),
        }

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
            SELECT coalesce(h.last_id, f.last_id) AS last_id,
                   (SELECT min(id) FROM renum.events WHERE user_id = %(user_id)s) AS oldest_id
              FROM renum.event_floor f LEFT JOIN renum.event_heads h ON h.user_id = %(user_id)s
            """,
            {"user_id": user_id},
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  the floor always has one row
        return row["last_id"], row["oldest_id"] or row["last_id"] + 1

    async def users_before(
        self, before: datetime, *, after: UUID, limit: int
    ) -> tuple[UUID | None, list[UUID]]:
        # The oldest event of each log, by the primary key: the log itself is not read.
        cursor = await self._connection.execute(
            """
            SELECT user_id, coalesce(oldest < %(before)s, false) AS is_old
              FROM (
                SELECT h.user_id, (SELECT e.created_at FROM renum.events e
                                    WHERE e.user_id = h.user_id ORDER BY e.id LIMIT 1) AS oldest
                  FROM renum.event_heads h WHERE h.user_id > %(after)s
                 ORDER BY h.user_id LIMIT %(limit)s
              ) AS page
            """,
            {"before": before, "after": after, "limit": limit},
        )
        rows = await cursor.fetchall()
        last = max((row["user_id"] for row in rows), default=None)
        return last, [row["user_id"] for row in rows if row["is_old"]]

    async def prune(self, user_ids: Sequence[UUID], *, before: datetime, limit: int) -> int:
        # The time of an event is when its transaction began, so ids and times are not quite in
        # the same order: the first young one ends what goes, whatever comes after it. Found by the
        # primary key and deleted by place: nothing is read but what goes, and the row after it.
        cursor = await self._connection.execute(
            """
            DELETE FROM renum.events WHERE ctid = ANY (ARRAY(
                SELECT old.ctid FROM unnest(%(user_ids)s::uuid[]) AS u (user_id)
                 CROSS JOIN LATERAL (
                    SELECT e.id FROM renum.events e
                     WHERE e.user_id = u.user_id ORDER BY e.id LIMIT 1
                ) AS first
                 CROSS JOIN LATERAL (
                    SELECT coalesce((
                        SELECT e.id FROM renum.events e
                         WHERE e.user_id = u.user_id AND e.id < first.id + %(limit)s
                           AND e.created_at >= %(before)s
                         ORDER BY e.id LIMIT 1
                    ), first.id + %(limit)s) AS id
                ) AS kept
                 CROSS JOIN LATERAL (
                    SELECT e.ctid FROM renum.events e
                     WHERE e.user_id = u.user_id AND e.id < kept.id ORDER BY e.id
                ) AS old
                 LIMIT %(limit)s
            ))
            """,
            {"user_ids": list(user_ids), "before": before, "limit": limit},
        )
        return cursor.rowcount

    async def restart_all(self, *, skip: int) -> int:
        cursor = await self._connection.execute(
            """
            UPDATE renum.event_floor SET last_id = %s + greatest(
                last_id, (SELECT max(last_id) FROM renum.event_heads)
            ) RETURNING last_id
            """,
            (skip,),
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  the floor always has one row
        await self._connection.execute(
            "UPDATE renum.event_heads SET last_id = %s", (row["last_id"],)
        )
        await self._connection.execute("DELETE FROM renum.events")
        return int(row["last_id"])

    async def ring(self, user_id: UUID) -> None:
        if self._notify:
            await self._connection.execute("SELECT pg_notify(%s, %s)", (DOORBELL, str(user_id)))
        self.rung.add(user_id)

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
