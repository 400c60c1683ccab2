"""Whether this process and what it stands on are well (specification §1)."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Response

from app import __version__
from app.api.deps import Services
from app.api.errors import problem
from app.api.section import Section
from app.common.breaker import BreakerState
from app.domain.errors import DatabaseUnavailable, RenumError
from app.schemas.health import (
    GuardedService,
    Health,
    Queue,
    RateLimiting,
    Ready,
    Service,
    ServicesHealth,
    Sockets,
)
from app.schemas.health import Services as ServicesAnswer

CHECK_LIMIT_S = 2.0

router = Section(prefix="/health", tags=["Health"])

T = TypeVar("T")


@router.get("", response_model=Health)
async def health(services: Services) -> Health:
    """This process answers. Asks nothing else, so use it for liveness."""
    return Health(status="ok", version=__version__, timestamp=services.clock())


@router.get("/ready", response_model=Ready, responses=problem(DatabaseUnavailable))
async def ready(services: Services) -> Ready:
    """Whether requests should be sent here: the database answers."""
    answered, _ = await _timed(services.db.ping())
    if answered is None:
        raise DatabaseUnavailable("The database does not answer.")
    return Ready(status="ready")


@router.get(
    "/services",
    response_model=ServicesHealth,
    responses={503: {"model": ServicesHealth, "description": "The database is away."}},
)
async def services_health(services: Services, response: Response) -> ServicesHealth:
    """Everything Renum stands on, looked at now; `down` (503) when the database is away."""
    database, suna, supabase, redis, queue = await asyncio.gather(
        _service(services.db.ping()),
        _service(services.suna.health()),
        _service(services.identity.health()),
        _redis(services),
        _queue(services),
    )
    checks = (database, suna, supabase, redis, queue)
    down = database.status == "unhealthy"
    counts = services.rates.breaker is BreakerState.CLOSED
    degraded = not counts or any(check and check.status == "unhealthy" for check in checks)
    if down:
        response.status_code = 503
    return ServicesHealth(
        status="down" if down else "degraded" if degraded else "ok",
        services=ServicesAnswer(
            database=database,
            suna_backend=_guarded(suna, services.suna.breaker),
            supabase=_guarded(supabase, services.identity.breaker),
            redis=redis,
            rate_limits=RateLimiting(
                status="healthy" if counts else "unhealthy",
                storage="redis" if services.redis else "memory",
            ),
            queue=queue,
            websocket=Sockets(status="healthy", connections=services.live.connections),
        ),
    )


async def _service(check: Awaitable[None]) -> Service:
    answered, latency_ms = await _timed(check)
    return Service(status="unhealthy" if answered is None else "healthy", latency_ms=latency_ms)


def _guarded(service: Service, breaker: BreakerState) -> GuardedService:
    return GuardedService(status=service.status, latency_ms=service.latency_ms, breaker=breaker)


async def _redis(services: Services) -> Service | None:
    return await _service(services.redis.ping()) if services.redis else None


async def _queue(services: Services) -> Queue:
    answered, latency_ms = await _timed(services.db.queue_depth())
    if answered is None:
        return Queue(
            status="unhealthy", latency_ms=latency_ms, pending=None, running=None, workers=None
        )
    (depth,) = answered
    return Queue(
        status="healthy" if depth.workers else "unhealthy",
        latency_ms=latency_ms,
        pending=depth.pending,
        running=depth.running,
        workers=depth.workers,
    )


async def _timed(
    check: Awaitable[T], limit_s: float = CHECK_LIMIT_S
) -> tuple[tuple[T] | None, int]:
    """What a check gave (None when it failed or took too long), and its milliseconds."""
    started_at = time.perf_counter()
    answered: tuple[T] | None = None
    try:
        async with asyncio.timeout(limit_s):
            answered = (await check,)
    except (RenumError, TimeoutError):
        pass
    return answered, round((time.perf_counter() - started_at) * 1000)
