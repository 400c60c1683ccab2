"""
`GET /metrics`: what an operator alarms on, in Prometheus' words.

Read from the database at each scrape, so that any API process tells the truth about all workers,
also about those that serve no HTTP.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Enum, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from app.api.deps import Services
from app.common.breaker import BreakerState
from app.domain.errors import DatabaseUnavailable
from app.domain.reports import StuckKind
from app.usecases.invariant import EngineState, engine_state

router = APIRouter(tags=["Health"])


@router.get("/metrics", include_in_schema=False)
async def metrics(services: Services) -> Response:
    """Also without a database: then only that it is away."""
    try:
        state = await engine_state(services.db, services.limits)
    except DatabaseUnavailable:
        state = None
    breakers = {"suna": services.suna.breaker, "supabase": services.identity.breaker}
    return Response(
        generate_latest(_registry(state, breakers)), media_type=CONTENT_TYPE_PLAIN_0_0_4
    )


def _registry(state: EngineState | None, breakers: Mapping[str, BreakerState]) -> CollectorRegistry:
    registry = CollectorRegistry()

    def gauge(name: str, what: str, value: float) -> None:
        Gauge(name, what, registry=registry).set(value)

    breaker = Enum(
        "renum_breaker",
        "Whether a service is asked right now, by this process.",
        ["upstream"],
        states=[s.value for s in BreakerState],
        registry=registry,
    )
    for upstream, now in breakers.items():
        breaker.labels(upstream).state(now.value)
    gauge("renum_database_up", "1 when the database answers.", state is not None)
    if state is None:
        return registry
    jobs = Gauge("renum_queue_jobs", "Jobs of the queue.", ["state"], registry=registry)
    jobs.labels("pending").set(state.queue.pending)
    jobs.labels("running").set(state.queue.running)
    gauge(
        "renum_queue_age_seconds",
        "For how long the job that waits longest has been due.",
        state.queue.age_s,
    )
    gauge("renum_workers", "Workers alive.", state.queue.workers)
    stuck = Gauge(
        "renum_executions_stuck",
        "Executions that nothing moves; anything but 0 for 30 s is a bug or an outage.",
        ["kind"],
        registry=registry,
    )
    for kind in StuckKind:
        stuck.labels(kind).set(state.stuck[kind])
    gauge(
        "renum_executions_repaired",
        "Times that an execution was found stuck and set in motion again.",
        state.repairs,
    )
    return registry
