"""The engine's process, or the engine's part of an API process."""

from contextlib import AbstractContextManager, AsyncExitStack
from random import SystemRandom
from uuid import UUID

from structlog.contextvars import bind_contextvars

from app.common.tasks import background
from app.core.garbage import quiet_collector
from app.core.settings import Settings
from app.core.tracing import Tracing
from app.domain.execution import TraceContext
from app.domain.explain import CHECK_EVERY_S
from app.domain.results import AgentResult
from app.infra.queue.worker import Periodic, QueueWorker
from app.usecases.capacity import SunaCapacity
from app.usecases.deliveries import Deliveries
from app.usecases.engine import Engine
from app.usecases.invariant import repair_stuck
from app.usecases.remote_stop import stop_runs
from app.usecases.retention import prune_ended, prune_events, prune_idempotency_keys
from app.usecases.services import Services


async def run_worker(settings: Settings, services: Services, tracing: Tracing) -> None:
    """Work on the queue until cancelled; then everything unfinished is handed back to it."""
    limits = services.limits
    capacity = (
        SunaCapacity(services.db, limits, limits.suna, services.new_id) if limits.suna else None
    )
    spans = _Spans(tracing)
    engine = Engine(
        db=services.db,
        runtime_of=services.suna.runtime,
        templates=services.templates,
        output=services.output,
        limits=limits,
        clock=services.clock,
        new_id=services.new_id,
        rng=SystemRandom(),
        capacity=capacity,
        spans=spans,
    )

    async def drive(execution_id: UUID) -> None:
        _name_in_logs(execution_id)
        await engine.drive(execution_id)

    async def stop(execution_id: UUID, last: bool) -> None:
        _name_in_logs(execution_id)
        await stop_runs(
            services.db,
            services.suna.runtime,
            execution_id,
            now=services.clock(),
            last=last,
            spans=spans,
        )

    deliveries = Deliveries(
        db=services.db,
        sender=services.webhooks,
        clock=services.clock,
        new_id=services.new_id,
        rng=SystemRandom(),
    )

    async def deliver(webhook_id: UUID, delivery_id: UUID) -> None:
        bind_contextvars(
            webhook_id=str(webhook_id),
            delivery_id=str(delivery_id),
            request_id=f"renum-{delivery_id}",
        )
        await deliveries.attempt(webhook_id, delivery_id)

    async def repair() -> None:
        await repair_stuck(services.db, limits, now=services.clock())

    async def forget_keys() -> None:
        await prune_idempotency_keys(services.db, now=services.clock())

    async def forget_events() -> None:
        await prune_events(services.db, before=services.clock() - services.kept.events)

    async def forget_ended() -> None:
        await prune_ended(services.db, services.kept, now=services.clock())

    worker = QueueWorker(
        settings.direct_url.get_secret_value(),
        drive=drive,
        stop_runs=stop,
        deliver=deliver,
        concurrency=settings.worker_concurrency,
        periodic=[
            Periodic("repair_stuck", f"* * * * * */{CHECK_EVERY_S}", repair),
            Periodic("prune_events", "17 * * * *", forget_events),
            Periodic("prune_idempotency_keys", "47 * * * *", forget_keys),
            Periodic("repair_deliveries", "* * * * *", deliveries.repair),
            Periodic("prune_ended", "32 * * * *", forget_ended),
        ],
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(quiet_collector())
        if capacity:
            await stack.enter_async_context(background(capacity.run(), name="suna's capacity"))
        await worker.run()


class _Spans:
    """The `Spans` port: the trace of the request goes on, and lines of the log name the user."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def job(
        self, name: str, execution_id: UUID, user_id: UUID, context: TraceContext | None
    ) -> AbstractContextManager[None]:
        # For as long as the job's own task lasts, so that its failure is logged with it.
        bind_contextvars(user_id=str(user_id))
        named = {"renum.execution_id": str(execution_id), "enduser.id": str(user_id)}
        return self._tracing.span(name, named, context=context)

    def attempt(self, result: AgentResult) -> AbstractContextManager[None]:
        named = {"renum.agent_key": result.key, "renum.agent_id": str(result.agent_id)}
        return self._tracing.span("run agent", {**named, "renum.attempt": result.attempts})


def _name_in_logs(execution_id: UUID) -> None:
    """One id in our log, in Suna's, and in what an error says."""
    bind_contextvars(execution_id=str(execution_id), request_id=f"renum-{execution_id}")
