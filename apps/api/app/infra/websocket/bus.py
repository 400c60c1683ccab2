"""
The doorbell between processes: PostgreSQL NOTIFY. A lost ring loses nothing: rows are the truth.
"""

import asyncio
import logging
from uuid import UUID

import psycopg
from pydantic_core import from_json, to_json

from app.domain.results import AgentResult
from app.infra.db.database import Pool
from app.infra.db.events import DOORBELL
from app.infra.websocket.doorbell import Listener, Outbox
from app.infra.websocket.messages import output_message

logger = logging.getLogger(__name__)

OUTPUT = "renum_output"
#: Characters of live text in one NOTIFY, whose payload PostgreSQL limits to 8,000 bytes: as JSON
#: a character is up to 6 of them.
_MAX_CHUNK = 1_200
#: Between two statements that send live text.
_GATHER_S = 0.05


class PostgresListener(Listener):
    """Listens on one connection of its own: its URL is a direct or a session connection."""

    away = (psycopg.Error,)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute(f"LISTEN {DOORBELL}")
            await connection.execute(f"LISTEN {OUTPUT}")
            self._on_ring(None)
            async for notification in connection.notifies():
                self._hear(notification)

    def _hear(self, notification: psycopg.Notify) -> None:
        if notification.channel == DOORBELL:
            self._on_ring(UUID(notification.payload))
        else:
            message = from_json(notification.payload)
            execution_id = UUID(message["data"]["execution_id"])
            self._on_output(UUID(message.pop("user_id")), execution_id, to_json(message))


class PostgresOutput:
    """The `LiveOutput` port over NOTIFY; `run` sends what `publish` gathers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._outbox = Outbox[str]()

    def publish(
        self, user_id: UUID, *, execution_id: UUID, result: AgentResult, offset: int, text: str
    ) -> None:
        for start in range(0, len(text), _MAX_CHUNK):
            chunk = text[start : start + _MAX_CHUNK]
            message = output_message(execution_id, result, offset=offset + start, text=chunk)
            message["user_id"] = user_id
            self._outbox.put(to_json(message).decode())

    async def run(self) -> None:
        """
        Send until cancelled: all that waits in one statement, so that the text of a thousand
        agents takes one connection and leaves the others to the engine.
        """
        while True:
            messages = await self._outbox.take()
            try:
                async with self._pool.connection() as connection:
                    await connection.execute(
                        "SELECT pg_notify(%s, m) FROM unnest(%s::text[]) AS m", (OUTPUT, messages)
                    )
            except psycopg.Error as error:
                logger.info("%d chunks of live output were lost: %s", len(messages), error)
            await asyncio.sleep(_GATHER_S)
