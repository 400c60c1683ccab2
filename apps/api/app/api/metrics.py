"""
`GET /metrics`: what an operator alarms on, in Prometheus' words.

What this process has counted, and what the database says of all of them: the latter is read at
each scrape and the same from every process, so dashboards take its maximum and never its sum.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Enum, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from app.api.deps import CurrentTelemetry, Services
from app.common.breaker import BreakerState
from app.domain.errors import DatabaseUnavailable
from app.domain.reports import StuckKind
from app.usecases.invariant import EngineState, engine_state

router = APIRouter(tags=["Health"])


@router.get("/metrics", include_in_schema=False)
async def metrics(services: Services, telemetry: CurrentTelemetry) -> Response:
    """Also without a database: then all but what only the database knows."""
    try:
        state = await engine_state(services.db, services.limits)
    except DatabaseUnavailable:
        state = None
    seen = CollectorRegistry()
    _add_connections(seen, services)
    up = Gauge("renum_database_up", "1 when the database answers.", registry=seen)
    up.set(state is not None)
    if state is not None:
        _add_state(seen, state)
    return Response(
        generate_latest(telemetry.metrics.registry) + generate_latest(seen),
        media_type=CONTENT_TYPE_PLAIN_0_0_4,
    )


def _add_connections(registry: CollectorRegistry, services: Services) -> None:
    """What this process is joined to right now."""
    breaker = Enum(
        "renum_breaker",
        "Whether a service is asked right now, by this process.",
        ["upstream"],
        states=[s.value for s in BreakerState],
        registry=registry,
    )
    upstreams = {
        "suna": services.suna.breaker,
        "supabase": services.identity.breaker,
        "rate_limits": services.rates.breaker,
    }
    for upstream, state in upstreams.items():
        breaker.labels(upstream).state(state.value)
    sockets = Gauge(
        "renum_live_connections",
        "WebSockets and event streams that this process serves.",
        registry=registry,
    )
    sockets.set(services.live.connections)


def _add_state(registry: CollectorRegistry, state: EngineState) -> None:
    def gauge(name: str, what: str, label: str, values: Mapping[str, float]) -> None:
        made = Gauge(name, what, [label], registry=registry)
        for key, value in values.items():
            made.labels(key).set(value)

    jobs = Gauge(
        "renum_queue_jobs",
        "Jobs that wait, due or not, and jobs that are worked on.",
        ["queue", "state"],
        registry=registry,
    )
    for backlog in state.backlogs:
        jobs.labels(backlog.queue, "pending").set(backlog.pending)
        jobs.labels(backlog.queue, "running").set(backlog.running)
    gauge(
        "renum_queue_oldest_due_job_age_seconds",
        "For how long the oldest job that is due has waited for a worker; 0 without any.",
        "queue",
        {b.queue: b.oldest_due_s for b in state.backlogs},
    )
    Gauge("renum_workers", "Workers alive.", registry=registry).set(state.workers)
    gauge(
        "renum_executions",
        "Executions that wait for a free slot of their user, and that run.",
        "status",
        {status.value: n for status, n in state.unfinished.items()},
    )
    gauge(
        "renum_executions_stuck",
        "Executions that nothing moves; anything but 0 for 30 s is a bug or an outage.",
        "kind",
        {kind: state.stuck[kind] for kind in StuckKind},
    )
    Gauge(
        "renum_executions_repaired",
        "Times that an execution was found stuck and set in motion again.",
        registry=registry,
    ).set(state.repairs)
