"""Where rate limits are counted for all processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import ConnectionPool

from app.infra.rates.windows import Window

_CONNECT_S = 1.0
_COMMAND_S = 1.0


class RedisWindows:
    """The `Windows` of all processes."""

    def __init__(self, storage: RedisStorage) -> None:
        self._limiter = MovingWindowRateLimiter(storage)

    async def take(self, item: RateLimitItem, policy: str, whose: str) -> Window:
        taken = await self._limiter.hit(item, policy, whose)
        stats = await self._limiter.get_window_stats(item, policy, whose)
        return Window(taken, stats.remaining, stats.reset_time)


@asynccontextmanager
async def redis_windows(url: str) -> AsyncIterator[RedisWindows]:
    """Connects when it is needed. Several processes, and other programs, may share a Redis."""
    pool = ConnectionPool.from_url(
        url, socket_connect_timeout=_CONNECT_S, socket_timeout=_COMMAND_S
    )
    try:
        yield RedisWindows(
            RedisStorage(
                f"async+{url}",
                implementation="redispy",
                wrap_exceptions=True,
                key_prefix="renum:rates",
                connection_pool=pool,  # type: ignore[arg-type]  # it is documented, and not typed
            )
        )
    finally:
        await pool.aclose()
