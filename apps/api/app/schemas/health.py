"""Whether Renum and what it stands on are well."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.common.breaker import BreakerState
from app.schemas.base import Answer


class Health(Answer):
    """This process answers; nothing else was asked."""

    status: Literal["ok"]
    version: str
    timestamp: datetime


class Ready(Answer):
    """Whether requests should be sent here."""

    status: Literal["ready", "not_ready"]


class Service(Answer):
    """One thing that Renum stands on; `latency_ms` also tells how long a failure took."""

    status: Literal["healthy", "unhealthy"]
    latency_ms: int


class GuardedService(Service):
    """One that is left alone for a while when it fails."""

    breaker: BreakerState = Field(
        description="`open`: it has failed too often just now, and is not asked for some seconds; "
        "`half_open`: one call finds out whether it is back. Of this process."
    )


class Sockets(Answer):
    status: Literal["healthy"]
    connections: int = Field(description="Open WebSockets of this process.")


class RateLimiting(Answer):
    """`unhealthy`: nothing is counted for the moment; requests pass, sign-ins do not."""

    status: Literal["healthy", "unhealthy"]
    storage: Literal["memory", "redis"] = Field(
        description="`memory`: each process counts for itself."
    )


class Queue(Answer):
    """Jobs of all processes; without workers nothing runs."""

    status: Literal["healthy", "unhealthy"]
    latency_ms: int
    pending: int | None
    running: int | None
    workers: int | None


class Services(Answer):
    database: Service
    suna_backend: GuardedService
    supabase: GuardedService
    redis: Service | None = Field(
        default=None, exclude_if=lambda redis: redis is None, description="Only with REDIS_URL."
    )
    rate_limits: RateLimiting
    queue: Queue
    websocket: Sockets


class ServicesHealth(Answer):
    """`degraded`: something works less; `down`: the database is away, so nothing does."""

    status: Literal["ok", "degraded", "down"]
    services: Services
