"""Webhooks, and the deliveries to them."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter
from pydantic_core import to_json

from app.common.paging import Page, Paged
from app.domain.deliveries import (
    Attempt,
    Delivery,
    DeliveryNotFound,
    DeliveryStatus,
    WebhookMessage,
)
from app.domain.webhooks import DisabledReason, Webhook, WebhookEvent, WebhookNotFound
from app.infra.db.connection import Connection, Row
from app.infra.db.jobs import JOB_OF_DELIVERY

_attempts = TypeAdapter(tuple[Attempt, ...])

#: Part of a statement that takes `messages`, which `rows_of` makes, and their `user_id`; it must be
#: read. Sends each message to all of the user's webhooks that want to be told.
ANNOUNCED = f"""
deliveries AS (
    INSERT INTO renum.webhook_deliveries (webhook_id, id, user_id, type, body, status, created_at,
                                          tries, attempts, next_attempt_at)
    SELECT w.id, told.id, w.user_id, told.type, told.body, 'pending', told.at, 0, '[]', told.at
      FROM json_to_recordset(%(messages)s::json)
           AS told (id uuid, type text, body text, at timestamptz)
      JOIN renum.webhooks w
        ON w.user_id = %(user_id)s AND w.disabled_reason IS NULL AND told.type = ANY (w.events)
    RETURNING webhook_id, id
), announced AS (
    SELECT renum.procrastinate_defer_jobs_v1(array_agg({JOB_OF_DELIVERY})) FROM deliveries
    HAVING count(*) > 0
)
"""


def rows_of(messages: Iterable[WebhookMessage]) -> str:
    """As JSON."""
    rows = [{"id": m.id, "type": m.type, "body": m.body, "at": m.timestamp} for m in messages]
    return to_json(rows).decode()


class WebhookStore:
    """The `Webhooks` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, webhook: Webhook) -> None:
        await self._connection.execute(
            """
            INSERT INTO renum.webhooks (id, user_id, url, description, events, disabled_reason,
                created_at, updated_at, failing_since, secret, previous_secret, previous_until)
            VALUES (%(id)s, %(user_id)s, %(url)s, %(description)s, %(events)s,
                %(disabled_reason)s, %(created_at)s, %(updated_at)s, %(failing_since)s, %(secret)s,
                %(previous_secret)s, %(previous_until)s)
            """,
            _values(webhook),
        )

    async def count(self, user_id: UUID) -> int:
        return await self._number(
            "SELECT count(*) AS n FROM renum.webhooks WHERE user_id = %(user_id)s",
            {"user_id": user_id},
        )

    async def get(self, webhook_id: UUID, *, user_id: UUID) -> Webhook:
        cursor = await self._connection.execute(
            "SELECT * FROM renum.webhooks WHERE id = %s AND user_id = %s", (webhook_id, user_id)
        )
        row = await cursor.fetchone()
        if row is None:
            raise WebhookNotFound(webhook_id)
        return _webhook(row)

    async def save(self, webhook: Webhook) -> None:
        await self._connection.execute(
            """
            UPDATE renum.webhooks
               SET url = %(url)s, description = %(description)s, events = %(events)s,
                   disabled_reason = %(disabled_reason)s, updated_at = %(updated_at)s,
                   failing_since = %(failing_since)s, secret = %(secret)s,
                   previous_secret = %(previous_secret)s, previous_until = %(previous_until)s
             WHERE id = %(id)s AND user_id = %(user_id)s
            """,
            _values(webhook),
        )

    async def delete(self, webhook_id: UUID) -> None:
        await self._connection.execute("DELETE FROM renum.webhooks WHERE id = %s", (webhook_id,))

    async def page(self, page: Page, *, user_id: UUID) -> Paged[Webhook]:
        cursor = await self._connection.execute(
            """
            SELECT * FROM renum.webhooks WHERE user_id = %s
             ORDER BY id DESC LIMIT %s OFFSET %s
            """,
            (user_id, page.limit, page.offset),
        )
        items = tuple(_webhook(row) for row in await cursor.fetchall())
        return Paged(items, await self.count(user_id))

    async def add_delivery(self, delivery: Delivery) -> None:
        await self._connection.execute(
            """
            INSERT INTO renum.webhook_deliveries (webhook_id, id, user_id, type, body, status,
                created_at, tries, attempts, next_attempt_at, completed_at)
            VALUES (%(webhook_id)s, %(id)s, %(user_id)s, %(type)s, %(body)s, %(status)s,
                %(created_at)s, %(tries)s, %(attempts)s, %(next_attempt_at)s, %(completed_at)s)
            """,
            _delivery_values(delivery),
        )

    async def delivery(self, webhook_id: UUID, delivery_id: UUID, *, user_id: UUID) -> Delivery:
        cursor = await self._connection.execute(
            """
            SELECT * FROM renum.webhook_deliveries
             WHERE webhook_id = %s AND id = %s AND user_id = %s
            """,
            (webhook_id, delivery_id, user_id),
        )
        row = await cursor.fetchone()
        if row is None:
            raise DeliveryNotFound(delivery_id)
        return _delivery(row)

    async def save_delivery(self, delivery: Delivery) -> None:
        await self._connection.execute(
            """
            UPDATE renum.webhook_deliveries
               SET status = %(status)s, tries = %(tries)s, attempts = %(attempts)s,
                   next_attempt_at = %(next_attempt_at)s, completed_at = %(completed_at)s
             WHERE webhook_id = %(webhook_id)s AND id = %(id)s AND user_id = %(user_id)s
            """,
            _delivery_values(delivery),
        )

    async def deliveries(
        self, page: Page, webhook_id: UUID, *, user_id: UUID, status: DeliveryStatus | None
    ) -> Paged[Delivery]:
        wanted = {
            "webhook_id": webhook_id,
            "user_id": user_id,
            "status": status,
            "limit": page.limit,
            "offset": page.offset,
        }
        where: LiteralString = """
            webhook_id = %(webhook_id)s AND user_id = %(user_id)s
            AND status = coalesce(%(status)s, status)
        """
        cursor = await self._connection.execute(
            f"""
            SELECT * FROM renum.webhook_deliveries WHERE {where}
             ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
            """,
            wanted,
        )
        items = tuple(_delivery(row) for row in await cursor.fetchall())
        total = await self._number(
            f"SELECT count(*) AS n FROM renum.webhook_deliveries WHERE {where}", wanted
        )
        return Paged(items, total)

    async def pending(self, webhook_id: UUID, delivery_id: UUID) -> tuple[Webhook, Delivery] | None:
        rows = await self._connection.execute(
            """
            SELECT * FROM renum.webhook_deliveries
             WHERE webhook_id = %s AND id = %s AND status = 'pending'
            """,
            (webhook_id, delivery_id),
        )
        row = await rows.fetchone()
        if row is None:
            return None
        delivery = _delivery(row)
        try:
            return await self.get(webhook_id, user_id=delivery.user_id), delivery
        except WebhookNotFound:  # deleted between the two looks
            return None

    async def prune(self, before: datetime, *, limit: int) -> int:
        cursor = await self._connection.execute(
            """
            DELETE FROM renum.webhook_deliveries WHERE (webhook_id, id) IN (
                SELECT webhook_id, id FROM renum.webhook_deliveries
                 WHERE status <> 'pending' AND completed_at < %s LIMIT %s
            )
            """,
            (before, limit),
        )
        return cursor.rowcount

    async def _number(self, query: LiteralString, values: Row) -> int:
        row = await (await self._connection.execute(query, values)).fetchone()
        return int(row["n"]) if row else 0


def _values(webhook: Webhook) -> Row:
    values = {f.name: getattr(webhook, f.name) for f in fields(webhook)}
    return {**values, "events": sorted(webhook.events)}


def _webhook(row: Row) -> Webhook:
    return Webhook(
        **{
            **row,
            "events": frozenset(map(WebhookEvent, row["events"])),
            "disabled_reason": row["disabled_reason"] and DisabledReason(row["disabled_reason"]),
        }
    )


def _delivery_values(delivery: Delivery) -> Row:
    values = {f.name: getattr(delivery, f.name) for f in fields(delivery)}
    return {**values, "attempts": Jsonb([asdict(a) for a in delivery.attempts])}


def _delivery(row: Row) -> Delivery:
    return Delivery(
        **{
            **row,
            "status": DeliveryStatus(row["status"]),
            "attempts": _attempts.validate_python(row["attempts"]),
        }
    )
