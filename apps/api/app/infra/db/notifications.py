"""Notifications of a user."""

from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.common.paging import Page, Paged
from app.domain.notifications import Notification, NotificationNotFound, NotificationType
from app.infra.db.connection import Connection, Row

_COLUMNS: LiteralString = "id, user_id, type, title, message, read, created_at, data"

#: Part of a statement that takes `notifications` as JSON.
NOTIFIED: LiteralString = f"""
notified AS (
    INSERT INTO renum.notifications ({_COLUMNS})
    SELECT {_COLUMNS}
      FROM json_populate_recordset(NULL::renum.notifications, %(notifications)s::json)
)
"""


class NotificationStore:
    """The `Notifications` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, notification: Notification) -> None:
        n = notification
        await self._connection.execute(
            f"INSERT INTO renum.notifications ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (n.id, n.user_id, n.type, n.title, n.message, n.read, n.created_at, Jsonb(n.data)),
        )

    async def page(
        self, page: Page, *, user_id: UUID, unread_only: bool
    ) -> tuple[Paged[Notification], int]:
        async with self._connection.pipeline():
            rows = await self._connection.execute(
                f"""
                SELECT {_COLUMNS} FROM renum.notifications
                 WHERE user_id = %(user_id)s AND (NOT %(unread_only)s OR NOT read)
                 ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
                """,
                {
                    "user_id": user_id,
                    "unread_only": unread_only,
                    "limit": page.limit,
                    "offset": page.offset,
                },
            )
            counts = await self._connection.execute(
                """
                SELECT count(*) AS total, count(*) FILTER (WHERE NOT read) AS unread
                  FROM renum.notifications WHERE user_id = %s
                """,
                (user_id,),
            )
            items = tuple(_notification(row) for row in await rows.fetchall())
            count = await counts.fetchone()
        assert count is not None  # noqa: S101  an aggregate always has one row
        total = count["unread"] if unread_only else count["total"]
        return Paged(items, total), count["unread"]

    async def mark_read(self, notification_id: UUID, *, user_id: UUID) -> Notification:
        cursor = await self._connection.execute(
            f"""
            UPDATE renum.notifications SET read = true WHERE id = %s AND user_id = %s
            RETURNING {_COLUMNS}
            """,
            (notification_id, user_id),
        )
        row = await cursor.fetchone()
        if row is None:
            raise NotificationNotFound(notification_id)
        return _notification(row)

    async def mark_all_read(self, user_id: UUID) -> int:
        cursor = await self._connection.execute(
            "UPDATE renum.notifications SET read = true WHERE user_id = %s AND NOT read", (user_id,)
        )
        return cursor.rowcount


def _notification(row: Row) -> Notification:
    data = {name: UUID(value) for name, value in row["data"].items()}
    return Notification(**{**row, "type": NotificationType(row["type"]), "data": data})
