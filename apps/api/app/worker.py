"""The engine's process, or the engine's part of an API process."""

from random import SystemRandom
from uuid import UUID

from app.core.garbage import quiet_collector
from app.core.settings import Settings
from app.infra.queue.worker import QueueWorker
from app.usecases.engine import Engine
from app.usecases.invariant import repair_stuck
from app.usecases.remote_stop import stop_runs
from app.usecases.services import Services


async def run_worker(settings: Settings, services: Services) -> None:
    """Work on the queue until cancelled; then everything unfinished is handed back to it."""
    engine = Engine(
        db=services.db,
        runtime=services.runtime,
        templates=services.templates,
        output=services.output,
        limits=services.limits,
        clock=services.clock,
        new_id=services.new_id,
        rng=SystemRandom(),
    )

    async def stop(execution_id: UUID, last: bool) -> None:
        await stop_runs(services.db, services.runtime, execution_id, last=last)

    async def repair() -> None:
        await repair_stuck(services.db, services.limits, now=services.clock())

    worker = QueueWorker(
        settings.direct_url.get_secret_value(),
        drive=engine.drive,
        stop_runs=stop,
        repair=repair,
        concurrency=settings.worker_concurrency,
    )
    async with quiet_collector():
        await worker.run()
