"""Health as load balancers and people read it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from app import __version__
from app.api import health
from app.common.breaker import BreakerState
from app.core.settings import Settings
from app.core.telemetry import Telemetry
from app.domain.agents import SunaUnavailable
from app.domain.errors import DatabaseUnavailable
from app.domain.users import AuthUnavailable
from app.infra.redis.bus import RedisUnavailable
from app.main import create_app
from app.usecases.ports import QueueDepth
from tests.api.conftest import client_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Check = Callable[[], Awaitable[Any]]


async def well() -> None:
    """A check that passes."""


async def depth(workers: int = 1) -> QueueDepth:
    return QueueDepth(pending=4, running=2, workers=workers)


def failing(error: Exception) -> Check:
    async def check() -> None:
        raise error

    return check


@asynccontextmanager
async def an_api(
    ping: Check = well,
    suna: Check = well,
    supabase: Check = well,
    queue: Check = depth,
    redis: Check | None = None,
) -> AsyncIterator[httpx2.AsyncClient]:
    """The API on services of which only the health is asked."""

    @asynccontextmanager
    async def services(_: Settings, __: Telemetry) -> AsyncIterator[Any]:
        yield SimpleNamespace(
            db=SimpleNamespace(ping=ping, queue_depth=queue),
            suna=SimpleNamespace(health=suna, breaker=BreakerState.CLOSED),
            redis=redis and SimpleNamespace(ping=redis),
            identity=SimpleNamespace(health=supabase, breaker=BreakerState.CLOSED),
            rates=SimpleNamespace(breaker=BreakerState.CLOSED),
            live=SimpleNamespace(connections=23),
            clock=lambda: NOW,
        )

    app = create_app(Settings(_env_file=None), worker=False, open_services=services)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def test_alive_asks_nothing_else() -> None:
    lost = failing(DatabaseUnavailable("gone"))
    async with an_api(ping=lost, queue=lost) as api:
        answer = await api.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "version": __version__,
        "timestamp": "2026-11-24T12:00:00Z",
    }


async def test_everything_well(api: httpx2.AsyncClient) -> None:
    """With the real things behind it; only the worker is missing."""
    answer = await api.get("/health/services")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "degraded"
    assert {name: s["status"] for name, s in body["services"].items()} == {
        "database": "healthy",
        "suna_backend": "healthy",
        "supabase": "healthy",
        "rate_limits": "healthy",
        "queue": "unhealthy",
        "websocket": "healthy",
    }
    assert (await api.get("/health/ready")).json() == {"status": "ready"}
    alive = datetime.fromisoformat((await api.get("/health")).json()["timestamp"])
    assert abs(datetime.now(UTC) - alive) < timedelta(minutes=1)


async def test_services_as_specified() -> None:
    async with an_api() as api:
        answer = await api.get("/health/services")
    assert answer.status_code == 200
    body = answer.json()
    latencies = [service.pop("latency_ms", 0) for service in body["services"].values()]
    assert all(isinstance(ms, int) and ms >= 0 for ms in latencies)
    assert body == {
        "status": "ok",
        "services": {
            "database": {"status": "healthy"},
            "suna_backend": {"status": "healthy", "breaker": "closed"},
            "supabase": {"status": "healthy", "breaker": "closed"},
            "rate_limits": {"status": "healthy", "storage": "memory"},
            "queue": {"status": "healthy", "pending": 4, "running": 2, "workers": 1},
            "websocket": {"status": "healthy", "connections": 23},
        },
    }


@pytest.mark.parametrize(
    ("sick", "name"),
    [
        ({"suna": failing(SunaUnavailable("away"))}, "suna_backend"),
        ({"supabase": failing(AuthUnavailable("away"))}, "supabase"),
        ({"redis": failing(RedisUnavailable("away"))}, "redis"),
        ({"queue": lambda: depth(workers=0)}, "queue"),
        ({"queue": failing(DatabaseUnavailable("away"))}, "queue"),
    ],
)
async def test_one_sick_service_degrades(sick: dict[str, Check], name: str) -> None:
    async with an_api(**sick) as api:
        answer = await api.get("/health/services")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    services = answer.json()["services"]
    assert [n for n, s in services.items() if s["status"] == "unhealthy"] == [name]


async def test_redis_is_listed_where_it_is_used() -> None:
    async with an_api(redis=well) as api:
        body = (await api.get("/health/services")).json()
    assert (body["status"], body["services"]["redis"]["status"]) == ("ok", "healthy")


async def test_without_the_database_everything_is_down() -> None:
    lost = failing(DatabaseUnavailable("secret detail"))
    async with an_api(ping=lost, queue=lost) as api:
        answer = await api.get("/health/services")
        ready = await api.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert answer.json()["services"]["queue"]["workers"] is None
    assert "secret detail" not in answer.text
    problem = ready.json()
    assert (ready.status_code, problem["code"]) == (503, "database_unavailable")
    assert ready.headers["retry-after"] == "5"


async def test_checks_run_side_by_side() -> None:
    together = asyncio.Barrier(3)  # passes nobody until all three are there

    async def check() -> None:
        await together.wait()

    async with an_api(ping=check, suna=check, supabase=check) as api:
        answer = await api.get("/health/services")
    assert answer.json()["status"] == "ok"


async def test_a_hanging_check_is_given_up() -> None:
    assert health.CHECK_LIMIT_S == 2
    answered, latency_ms = await health._timed(asyncio.Event().wait(), limit_s=0.02)
    assert answered is None
    assert 20 <= latency_ms < 1000
