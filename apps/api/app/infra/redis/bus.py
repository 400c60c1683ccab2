"""
The doorbell between processes over Redis pub/sub, in place of PostgreSQL's NOTIFY.

A ring that is lost, with Redis away or a process dead between commit and ring, loses nothing: rows
are the truth, and every hub looks at them from time to time without any ring.
"""

import logging
from uuid import UUID

from pydantic_core import to_json
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError

from app.domain.errors import Unavailable
from app.domain.results import AgentResult
from app.infra.websocket.doorbell import Listener, Outbox
from app.infra.websocket.messages import output_message

logger = logging.getLogger(__name__)

_EVENTS = "renum:events"
_OUTPUT = "renum:output"
_CONNECT_S = 2.0
_COMMAND_S = 5.0
_RETRY_S = 0.05


class RedisUnavailable(Unavailable):
    """Redis does not answer; live updates come late until it does."""

    code = "redis_unavailable"
    title = "Redis is unavailable"


def connect(url: str, *, retries: int = 2) -> Redis:
    """A client that has not connected yet; close it with `aclose`."""
    return Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_S,
        socket_timeout=_COMMAND_S,
        # After a restart of Redis every connection in the pool is dead, and says so only when used.
        retry=Retry(ConstantBackoff(_RETRY_S), retries),
    )


class RedisListener(Listener):
    """Listens on one connection of its own."""

    away = (RedisError, OSError)

    async def _listen(self) -> None:
        async with (
            # A retry would subscribe anew without a word, and miss what was rung before.
            connect(self._url, retries=0) as redis,
            redis.pubsub(ignore_subscribe_messages=True) as pubsub,
        ):
            await pubsub.subscribe(_EVENTS, _OUTPUT)
            self._on_ring(None)
            while True:
                if message := await pubsub.get_message(timeout=_COMMAND_S):
                    self._hear(message["channel"], message["data"])

    def _hear(self, channel: bytes, data: bytes) -> None:
        if channel == _EVENTS.encode():
            self._on_ring(UUID(bytes=data))
        else:
            self._on_output(UUID(bytes=data[:16]), UUID(bytes=data[16:32]), data[32:])


class RedisPublisher:
    """Rings after commits, and is the `LiveOutput` port; `run` sends what waits."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._outbox = Outbox[tuple[str, bytes]]()

    def ring(self, user_id: UUID) -> None:
        """The user has news; never waits and never fails."""
        self._outbox.put((_EVENTS, user_id.bytes))

    def publish(
        self, user_id: UUID, *, execution_id: UUID, result: AgentResult, offset: int, text: str
    ) -> None:
        message = output_message(execution_id, result, offset=offset, text=text)
        self._outbox.put((_OUTPUT, user_id.bytes + execution_id.bytes + to_json(message)))

    async def ping(self) -> None:
        """Raises RedisUnavailable."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise RedisUnavailable("Redis does not answer.") from error

    async def run(self) -> None:
        """Send until cancelled: all that waits in one round trip."""
        while True:
            messages = await self._outbox.take()
            try:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for channel, data in messages:
                        pipeline.publish(channel, data)
                    await pipeline.execute()
            except (RedisError, OSError) as error:
                # Whoever listens looks at the rows when Redis is back: rings need no repeating.
                logger.warning("%d rings were lost: %s", len(messages), type(error).__name__)
