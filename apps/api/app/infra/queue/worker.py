"""
Procrastinate, made to keep our promises: jobs of a dead worker are taken over within seconds,
jobs of a stopping one handed over at once.

Known edges of it are in architecture §1. Its tables live in our schema.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from app.infra.db.jobs import DEAD_AFTER_S, DELIVER, DRIVE, QUEUE, STOP, UPKEEP, WEBHOOKS
from app.infra.queue.held_jobs import HeldJobs

logger = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
#: Looks for jobs whose notification was missed, and for jobs of dead workers.
POLL_S = 1.0
#: Tries of a remote stop before it is marked as unconfirmed: with the backoff, about an hour.
MAX_STOP_TRIES = 60
#: A tick that no process was up for is made up for at the next start, if it was not longer ago.
MAKE_UP_S = 24 * 60 * 60
#: Short jobs that one process works on at once, beside the executions it drives.
UPKEEP_CONCURRENCY = 20
#: Webhooks that one process waits for at once.
WEBHOOK_CONCURRENCY = 100

# One statement, so that two rescuers never take the same job, nor one that was taken meanwhile.
# Under a queueing lock, which each of our jobs has, one job waits at most: where another one
# waits already, or is put back, the same is done by that one.
_RESCUE = """
WITH stalled AS (
    SELECT job.id, job.queueing_lock, job.abort_requested FROM renum.procrastinate_jobs job
      LEFT JOIN renum.procrastinate_workers w ON w.id = job.worker_id
     WHERE job.status = 'doing'
       AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %s))
       FOR UPDATE OF job SKIP LOCKED
), put_back AS (
    SELECT DISTINCT ON (queueing_lock) id FROM stalled
     WHERE NOT abort_requested AND NOT EXISTS (
        SELECT FROM renum.procrastinate_jobs waiting
         WHERE waiting.status = 'todo' AND waiting.queueing_lock = stalled.queueing_lock
     )
), dropped AS (
    DELETE FROM renum.procrastinate_jobs
     WHERE id IN (SELECT id FROM stalled) AND id NOT IN (SELECT id FROM put_back)
)
SELECT id, renum.procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM put_back
"""
# A retried job does not ring by itself.
_RING = """
SELECT pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}')
"""

Drive = Callable[[UUID], Awaitable[None]]
StopRuns = Callable[[UUID, bool], Awaitable[None]]
Deliver = Callable[[UUID, UUID], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that is done again and again, by whichever process comes first; *cron* may have
    a sixth field, for seconds. What fails is left to the next time."""

    name: str
    cron: str
    run: Callable[[], Awaitable[None]]


class _Retry(BaseRetryStrategy):
    """A job is never lost: handed over at once when its worker stops, else tried again."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        return RetryDecision(retry_in={"seconds": min(60, 2 ** min(job.attempts, 6))})


class QueueWorker:
    """Works on the queue until cancelled."""

    def __init__(
        self,
        url: str,
        *,
        drive: Drive,
        stop_runs: StopRuns,
        deliver: Deliver,
        concurrency: int,
        periodic: Sequence[Periodic] = (),
    ) -> None:
        """*url* is a direct or session connection: it LISTENs. `concurrency` is the number of
        executions driven at once."""
        self._url = url
        self._concurrency = concurrency
        self._app = App(
            connector=PsycopgConnector(
                conninfo=url, min_size=1, max_size=4, configure=_set_up, name="renum-queue"
            ),
            periodic_defaults={"max_delay": MAKE_UP_S},
        )
        self._app.job_manager = HeldJobs(self._app.connector)

        @self._app.task(name=DRIVE, queue=QUEUE, retry=_Retry(), pass_context=True)
        async def drive_execution(context: JobContext, execution_id: str) -> None:
            try:
                await drive(UUID(execution_id))
            except asyncio.CancelledError:
                if context.abort_reason() is not AbortReason.USER_REQUEST:
                    raise
                # The execution was cancelled, and its rows say so already: the job is done.
            except Exception:
                await self._until_database_answers()
                raise

        @self._app.task(name=STOP, queue=UPKEEP, retry=_Retry(), pass_context=True)
        async def stop_remote_runs(context: JobContext, execution_id: str) -> None:
            try:
                await stop_runs(UUID(execution_id), context.job.attempts >= MAX_STOP_TRIES)
            except Exception:
                await self._until_database_answers()
                raise

        @self._app.task(name=DELIVER, queue=WEBHOOKS, retry=_Retry())
        async def deliver_webhook(webhook_id: str, delivery_id: str) -> None:
            try:
                await deliver(UUID(webhook_id), UUID(delivery_id))
            except Exception:
                await self._until_database_answers()
                raise

        for work in periodic:
            self._repeat(work)

    def _repeat(self, work: Periodic) -> None:
        # One job per tick, whichever process makes it; no second one while the first waits.
        @self._app.periodic(cron=work.cron)
        @self._app.task(name=work.name, queue=UPKEEP, queueing_lock=work.name)
        async def repeat(timestamp: int) -> None:  # noqa: ARG001  the library's signature
            await work.run()

    async def run(self) -> None:
        """Cancel it to stop: what runs is handed back to the queue, which takes well under 1 s."""
        # The library would give up on a database that is away, while this process lives on, says
        # that it is well, and works on nothing.
        await self._until_database_answers()
        async with self._app.open_async():
            rescuer = asyncio.create_task(self._rescue(), name="rescue stalled jobs")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._work(QUEUE, self._concurrency))
                    group.create_task(self._work(UPKEEP, UPKEEP_CONCURRENCY))
                    group.create_task(self._work(WEBHOOKS, WEBHOOK_CONCURRENCY))
            finally:
                rescuer.cancel()
                await asyncio.gather(rescuer, return_exceptions=True)

    async def _work(self, queue: str, concurrency: int) -> None:
        while True:
            await self._live(queue, concurrency)

    async def _live(self, queue: str, concurrency: int) -> None:
        """One life of a worker; ends when the database is away, and is then begun again."""
        try:
            await self._app.run_worker_async(
                queues=[queue],
                concurrency=concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=POLL_S,
                abort_job_polling_interval=POLL_S,
                shutdown_graceful_timeout=0,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=DEAD_AFTER_S,
            )
        except asyncio.CancelledError:
            await self._ring()
            raise
        except Exception:
            logger.exception("the queue's worker ended, and is begun again")
        await asyncio.sleep(POLL_S)

    async def _rescue(self) -> None:
        """Put jobs of dead workers back into the queue."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True
                ) as connection:
                    while True:
                        cursor = await connection.execute(_RESCUE, (DEAD_AFTER_S,))
                        if ids := [row[0] for row in await cursor.fetchall()]:
                            logger.warning("took over %d jobs of dead workers: %s", len(ids), ids)
                            await connection.execute(_RING)
                        await asyncio.sleep(POLL_S)
            except psycopg.Error as error:
                # When the database is back, every heart has missed beats: let them beat first.
                logger.warning("cannot look for stalled jobs: %s", error)
                await asyncio.sleep(DEAD_AFTER_S)

    async def _until_database_answers(self) -> None:
        """
        Wait before a failure is handed to the library, which stores next that the job is to be
        tried again: without a database that would be lost, and the job be taken for running.
        Also before its pool is opened.
        """
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url):
                    return
            except psycopg.OperationalError:
                await asyncio.sleep(POLL_S)

    async def _ring(self) -> None:
        try:
            async with await psycopg.AsyncConnection.connect(
                self._url, autocommit=True
            ) as connection:
                await connection.execute(_RING)
        except psycopg.Error as error:
            logger.info("no worker was told of jobs handed over: %s", error)


async def _set_up(connection: psycopg.AsyncConnection) -> None:
    await connection.set_autocommit(True)
    await connection.execute("SET search_path TO renum")
