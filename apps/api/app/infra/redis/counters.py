"""Where rate limits are counted for all processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from limits.aio.storage import RedisStorage
from redis.asyncio import ConnectionPool

_CONNECT_S = 1.0
_COMMAND_S = 1.0


@asynccontextmanager
async def redis_counters(url: str) -> AsyncIterator[RedisStorage]:
    """Connects when it is needed. Several processes, and other programs, may share a Redis."""
    pool = ConnectionPool.from_url(
        url, socket_connect_timeout=_CONNECT_S, socket_timeout=_COMMAND_S
    )
    try:
        yield RedisStorage(
            f"async+{url}",
            implementation="redispy",
            wrap_exceptions=True,
            key_prefix="renum:rates",
            connection_pool=pool,  # type: ignore[arg-type]  # it is documented, and not typed
        )
    finally:
        await pool.aclose()
