"""The only place that joins ports to adapters."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import limits
from limits import RateLimitItem
from uuid_utils.compat import uuid7

from app.common.tasks import background
from app.core.settings import Settings
from app.core.settings_rules import OFF
from app.core.telemetry import Telemetry
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.rates.limiter import RateLimits
from app.infra.rates.windows import MemoryWindows, Windows
from app.infra.suna.connect import connect as connect_suna
from app.infra.supabase.connect import connect as connect_supabase
from app.infra.templates.jinja import JinjaTemplates
from app.infra.webhooks.sender import connect as connect_webhooks
from app.infra.websocket.bus import PostgresListener, PostgresOutput
from app.infra.websocket.doorbell import Listener
from app.infra.websocket.hub import Hub
from app.usecases.api_keys import TokensAndKeys
from app.usecases.limits import Limits, SunaLimit
from app.usecases.retention import Kept
from app.usecases.services import Services


@asynccontextmanager
async def bootstrap(settings: Settings, telemetry: Telemetry) -> AsyncIterator[Services]:
    """Open everything a process needs, and close it in the opposite order."""
    async with AsyncExitStack() as stack:
        pool = create_pool(
            settings.database_url.get_secret_value(), size=settings.database_pool_size
        )
        await pool.open()
        stack.push_async_callback(pool.close)
        redis = None
        windows: Windows = MemoryWindows()
        if redis_url := settings.redis_url.get_secret_value():
            # Here, because its client takes 20 MB of a process that has no Redis.
            from app.infra.redis.bus import RedisListener, RedisPublisher
            from app.infra.redis.bus import connect as connect_redis
            from app.infra.redis.counters import redis_windows

            client = connect_redis(redis_url)
            stack.push_async_callback(client.aclose)
            redis = RedisPublisher(client)
            windows = await stack.enter_async_context(redis_windows(redis_url))
        db = PostgresDatabase(
            pool,
            ring=redis.ring if redis else None,
            committed=telemetry.metrics.committed,
        )
        traces = telemetry.tracing.of_calls()
        suna = await stack.enter_async_context(connect_suna(settings, traces))
        supabase = await stack.enter_async_context(connect_supabase(settings, traces))
        rates = _rates(settings, windows)
        webhooks = await stack.enter_async_context(
            connect_webhooks(allow_private=settings.webhooks_allow_private)
        )
        hub = Hub(
            db,
            max_per_user=settings.ws_max_sockets_per_user,
            delivered=telemetry.metrics.delivered,
        )
        listener: Listener
        output: PostgresOutput | RedisPublisher
        if redis:
            listener = RedisListener(redis_url, on_ring=hub.ring, on_output=hub.output)
            output = redis
        else:
            direct_url = settings.direct_url.get_secret_value()
            listener = PostgresListener(direct_url, on_ring=hub.ring, on_output=hub.output)
            output = PostgresOutput(pool)
        await stack.enter_async_context(background(hub.run(), name="hub"))
        await stack.enter_async_context(background(listener.run(), name="doorbell"))
        await stack.enter_async_context(background(output.run(), name="live output"))
        yield Services(
            db=db,
            suna=suna,
            templates=JinjaTemplates(),
            redis=redis,
            identity=supabase.identity,
            tokens=TokensAndKeys(db, supabase.tokens, _now),
            rates=rates,
            live=hub,
            output=output,
            webhooks=webhooks,
            limits=_limits(settings),
            kept=_kept(settings),
            clock=_now,
            new_id=uuid7,
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _rates(settings: Settings, windows: Windows) -> RateLimits:
    def limit(given: str) -> RateLimitItem | None:
        return None if given == OFF else limits.parse(given)

    return RateLimits(
        windows,
        user=limit(settings.rate_limit_user),
        login_address=limit(settings.rate_limit_login_address),
        login_email=limit(settings.rate_limit_login_email),
    )


def _kept(settings: Settings) -> Kept:
    def days(given: int | None) -> timedelta | None:
        return None if given is None else timedelta(days=given)

    return Kept(
        events=timedelta(days=settings.event_retention_days),
        executions=days(settings.execution_retention_days),
        logs=days(settings.log_retention_days),
        notifications=days(settings.notification_retention_days),
    )


def _limits(settings: Settings) -> Limits:
    suna = SunaLimit(
        runs=settings.suna_max_parallel_runs, per_user=settings.suna_auth_mode == "forward"
    )
    return Limits(
        running=settings.max_concurrent_executions,
        queued=settings.max_queued_executions,
        suna=suna if suna.runs else None,
    )
