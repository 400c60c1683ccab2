"""Renum with its queue: an execution is accepted, and a worker beside it is woken and drives it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from app.common.tasks import background
from app.infra.queue.worker import QueueWorker
from app.usecases.services import Services
from bench.peers.harness import Asked, Candidate, main
from bench.peers.renum import OneCall, Renum, opened


class Queued(Renum):
    """As `Renum`, but does not drive: it waits until the worker has."""

    def __init__(self, services: Services, runtime: OneCall) -> None:
        super().__init__(services, runtime)
        self._driven: defaultdict[UUID, asyncio.Event] = defaultdict(asyncio.Event)

    async def drive(self, execution_id: UUID) -> None:
        await self.engine.drive(execution_id)
        self._driven[execution_id].set()

    async def until_done(self, execution_id: UUID) -> None:
        await self._driven[execution_id].wait()
        del self._driven[execution_id]


async def _nothing(*_: object) -> None:
    """What else a worker does is not asked for here."""


@asynccontextmanager
async def open_queued(asked: Asked) -> AsyncIterator[Candidate]:
    async with opened(asked) as (settings, services, runtime):
        queued = Queued(services, runtime)
        worker = QueueWorker(
            asked.database_url,
            drive=queued.drive,
            stop_runs=_nothing,
            deliver=_nothing,
            concurrency=settings.worker_concurrency,
        )
        async with background(worker.run(), name="worker"):
            yield queued


if __name__ == "__main__":
    main(open_queued)
