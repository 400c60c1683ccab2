"""
The doorbell between processes: PostgreSQL NOTIFY. A lost ring loses nothing: rows are the truth.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from uuid import UUID

import psycopg
from pydantic_core import from_json, to_json

from app.domain.results import AgentResult
from app.infra.db.database import Pool
from app.infra.db.events import DOORBELL
from app.infra.websocket.messages import output_message

logger = logging.getLogger(__name__)

OUTPUT = "renum_output"
#: Characters of live text in one NOTIFY, whose payload PostgreSQL limits to 8,000 bytes.
_MAX_CHUNK = 1_500
_RECONNECT_S = 1.0
#: Between two statements that send live text.
_GATHER_S = 0.05
_MAX_WAITING = 10_000

OnRing = Callable[[UUID | None], None]
OnOutput = Callable[[UUID, bytes], None]


class PostgresBus:
    """Listens on one connection of its own, for as long as `run` runs."""

    def __init__(self, url: str, *, on_ring: OnRing, on_output: OnOutput) -> None:
        """*url* is a direct or session connection. `on_ring(None)` means: anybody may have news."""
        self._url = url
        self._on_ring = on_ring
        self._on_output = on_output

    async def run(self) -> None:
        """Listen until cancelled; comes back by itself after an outage."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True
                ) as connection:
                    await connection.execute(f"LISTEN {DOORBELL}")
                    await connection.execute(f"LISTEN {OUTPUT}")
                    # Rings may have been missed while nobody listened.
                    self._on_ring(None)
                    async for notification in connection.notifies():
                        self._hear(notification)
            except psycopg.Error as error:
                logger.warning("the doorbell is away: %s", error)
            await asyncio.sleep(_RECONNECT_S)

    def _hear(self, notification: psycopg.Notify) -> None:
        if notification.channel == DOORBELL:
            self._on_ring(UUID(notification.payload))
        else:
            message = from_json(notification.payload)
            self._on_output(UUID(message.pop("user_id")), to_json(message))


class PostgresOutput:
    """The `LiveOutput` port over NOTIFY; `run` sends what `publish` gathers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # A chunk that nobody could send in time is no loss: the oldest make room.
        self._waiting: deque[str] = deque(maxlen=_MAX_WAITING)
        self._news = asyncio.Event()

    async def publish(
        self, user_id: UUID, *, execution_id: UUID, result: AgentResult, offset: int, text: str
    ) -> None:
        for start in range(0, len(text), _MAX_CHUNK):
            chunk = text[start : start + _MAX_CHUNK]
            message = output_message(execution_id, result, offset=offset + start, text=chunk)
            message["user_id"] = user_id
            self._waiting.append(to_json(message).decode())
        self._news.set()

    async def run(self) -> None:
        """
        Send until cancelled: all that waits in one statement, so that the text of a thousand
        agents takes one connection and leaves the others to the engine.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            messages = list(self._waiting)
            self._waiting.clear()
            try:
                async with self._pool.connection() as connection:
                    await connection.execute(
                        "SELECT pg_notify(%s, m) FROM unnest(%s::text[]) AS m", (OUTPUT, messages)
                    )
            except psycopg.Error as error:
                logger.info("%d chunks of live output were lost: %s", len(messages), error)
            await asyncio.sleep(_GATHER_S)
