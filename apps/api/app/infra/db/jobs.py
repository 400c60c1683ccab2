"""Puts jobs into Procrastinate's queue on our own connection, so that they commit with our rows."""

from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from app.domain.deliveries import Delivery
from app.domain.reports import JobState, Stuck, StuckKind
from app.infra.db.connection import Connection
from app.usecases.ports import Backlog, QueueDepth

QUEUE = "executions"
#: Short jobs that must not wait until executions end.
UPKEEP = "upkeep"
#: Requests to other people's servers, which may hang.
WEBHOOKS = "webhooks"
DRIVE = "drive_execution"
STOP = "stop_runs"
DELIVER = "deliver_webhook"
#: A worker whose heart has not beaten for so many seconds is dead.
DEAD_AFTER_S = 4.0

# A job that waits already, perhaps for its next try, is due when asked for now and has all its
# tries before it.
_DEFER = """
WITH waiting AS (
    UPDATE renum.procrastinate_jobs SET scheduled_at = %(at)s, attempts = 0
     WHERE queueing_lock = %(lock)s AND status = 'todo' RETURNING 1
)
SELECT renum.procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, %(priority)s, %(lock)s, %(lock)s, %(args)s, %(at)s)
    ::renum.procrastinate_job_to_defer_v1
])
WHERE NOT EXISTS (SELECT FROM waiting)
"""


# A job that is due later is one too: it has a due time.
_HAS_JOB = """
EXISTS (SELECT FROM renum.procrastinate_jobs WHERE status = 'doing' AND lock = {lock})
OR EXISTS (SELECT FROM renum.procrastinate_jobs WHERE status = 'todo' AND queueing_lock = {lock})
"""
_STUCK = f"""
SELECT e.id, e.user_id, 'no_job' AS kind FROM renum.executions e
 WHERE e.status = 'running' AND e.user_id = coalesce(%(user_id)s::uuid, e.user_id)
   AND NOT ({_HAS_JOB.format(lock=f"'{DRIVE}:' || e.id")})
UNION ALL
SELECT DISTINCT ON (p.user_id) p.id, p.user_id, 'not_promoted' FROM renum.executions p
 WHERE p.status = 'pending' AND p.user_id = coalesce(%(user_id)s::uuid, p.user_id)
   AND %(running_limit)s > (
       SELECT count(*) FROM renum.executions r
        WHERE r.user_id = p.user_id AND r.status = 'running'
   )
UNION ALL
SELECT DISTINCT e.id, e.user_id, 'no_stop_job'
  FROM renum.agent_results a JOIN renum.executions e ON e.id = a.execution_id
 WHERE a.remote_stop = 'pending' AND e.user_id = coalesce(%(user_id)s::uuid, e.user_id)
   AND NOT ({_HAS_JOB.format(lock=f"'{STOP}:' || e.id")})
 ORDER BY id LIMIT 1000
"""


_DELIVERY_LOCK = f"'{DELIVER}:' || webhook_id || ':' || id"
#: The job of a row of webhook_deliveries that is due, for procrastinate_defer_jobs_v1.
JOB_OF_DELIVERY = f"""
ROW('{WEBHOOKS}', '{DELIVER}', 0, {_DELIVERY_LOCK}, {_DELIVERY_LOCK},
    jsonb_build_object('webhook_id', webhook_id, 'delivery_id', id), NULL)
::renum.procrastinate_job_to_defer_v1
"""
_LOST_DELIVERIES = f"""
SELECT renum.procrastinate_defer_jobs_v1(ARRAY[{JOB_OF_DELIVERY}])
  FROM (SELECT webhook_id, id, {_DELIVERY_LOCK} AS job_lock FROM renum.webhook_deliveries
         WHERE status = 'pending' AND next_attempt_at < %(before)s) overdue
 WHERE NOT ({_HAS_JOB.format(lock="overdue.job_lock")})
 LIMIT 1000
"""

# A job becomes due when it is put in, or at its `scheduled_at`; ids are in the order of putting
# in, so one look at the oldest one is enough. What only waits for another job of its lock is
# being worked on.
_BACKLOG = """
SELECT q.name AS queue, waiting.jobs AS pending, doing.jobs AS running,
       coalesce(greatest(0, extract(epoch FROM clock_timestamp() - least(
           waiting.scheduled_at,
           (SELECT max(e.at) FROM renum.procrastinate_events e WHERE e.job_id = waiting.oldest)
       ))), 0)::float8 AS oldest_due_s
  FROM unnest(%(queues)s::text[]) WITH ORDINALITY AS q (name, place)
 CROSS JOIN LATERAL (
    SELECT count(*) AS jobs,
           min(j.scheduled_at) FILTER (WHERE j.scheduled_at <= now() AND NOT blocked)
               AS scheduled_at,
           min(j.id) FILTER (WHERE j.scheduled_at IS NULL AND NOT blocked) AS oldest
      FROM (SELECT t.*, EXISTS (SELECT FROM renum.procrastinate_jobs d
                                 WHERE d.status = 'doing' AND d.lock = t.lock) AS blocked
              FROM renum.procrastinate_jobs t
             WHERE t.status = 'todo' AND t.queue_name = q.name
               AND t.queueing_lock IS DISTINCT FROM t.task_name) j
 ) waiting
 CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM renum.procrastinate_jobs d
     WHERE d.status = 'doing' AND d.queue_name = q.name
       AND d.queueing_lock IS DISTINCT FROM d.task_name
 ) doing
 ORDER BY q.place
"""


class JobStore:
    """The `Jobs` port. The lock of a job keeps a second one for the same thing from running."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def drive(self, execution_id: UUID, *, behind: int = 0) -> None:
        await self._defer_for(QUEUE, DRIVE, execution_id, priority=-behind)

    async def stop_runs(self, execution_id: UUID) -> None:
        await self._defer_for(UPKEEP, STOP, execution_id, priority=0)

    async def deliver(self, delivery: Delivery) -> None:
        ids = {"webhook_id": str(delivery.webhook_id), "delivery_id": str(delivery.id)}
        await self._defer(
            queue=WEBHOOKS,
            task=DELIVER,
            priority=0,
            lock=f"{DELIVER}:{delivery.webhook_id}:{delivery.id}",
            args=ids,
            at=delivery.next_attempt_at,
        )

    async def redeliver_lost(self, *, before: datetime) -> int:
        cursor = await self._connection.execute(_LOST_DELIVERIES, {"before": before})
        return len(await cursor.fetchall())

    async def state(self, execution_id: UUID) -> JobState:
        cursor = await self._connection.execute(
            """
            SELECT j.status = 'doing' AS doing,
                   coalesce(w.last_heartbeat > now() - make_interval(secs => %(dead_after)s), false)
                       AS alive
              FROM renum.procrastinate_jobs j
              LEFT JOIN renum.procrastinate_workers w ON w.id = j.worker_id
             WHERE j.lock = %(lock)s AND j.status = 'doing'
                OR j.queueing_lock = %(lock)s AND j.status = 'todo'
             ORDER BY doing DESC LIMIT 1
            """,
            {"lock": f"{DRIVE}:{execution_id}", "dead_after": DEAD_AFTER_S},
        )
        row = await cursor.fetchone()
        if row is None:
            return JobState.NONE
        if not row["doing"]:
            return JobState.WAITING
        return JobState.WORKED if row["alive"] else JobState.ABANDONED

    async def stuck(self, *, running_limit: int, user_id: UUID | None = None) -> list[Stuck]:
        cursor = await self._connection.execute(
            _STUCK, {"running_limit": running_limit, "user_id": user_id}
        )
        return [
            Stuck(row["id"], row["user_id"], StuckKind(row["kind"]))
            for row in await cursor.fetchall()
        ]

    async def count_repair(self, execution_id: UUID) -> None:
        await self._connection.execute(
            "UPDATE renum.executions SET repairs = repairs + 1 WHERE id = %s", (execution_id,)
        )

    async def repairs(self) -> int:
        cursor = await self._connection.execute(
            "SELECT coalesce(sum(repairs), 0) AS n FROM renum.executions WHERE repairs > 0"
        )
        row = await cursor.fetchone()
        return int(row["n"]) if row else 0

    async def abort(self, execution_id: UUID) -> None:
        lock = f"{DRIVE}:{execution_id}"
        await self._connection.execute(
            """
            SELECT renum.procrastinate_cancel_job_v1(id, true, true)
              FROM renum.procrastinate_jobs
             WHERE lock = %(lock)s AND status = 'doing'
                OR queueing_lock = %(lock)s AND status = 'todo'
            """,
            {"lock": lock},
        )

    async def backlogs(self) -> list[Backlog]:
        cursor = await self._connection.execute(_BACKLOG, {"queues": [QUEUE, UPKEEP, WEBHOOKS]})
        return [Backlog(**row) for row in await cursor.fetchall()]

    async def depth(self) -> QueueDepth:
        cursor = await self._connection.execute(
            """
            SELECT count(*) FILTER (WHERE status = 'todo') AS pending,
                   count(*) FILTER (WHERE status = 'doing') AS running,
                   (SELECT count(*) FROM renum.procrastinate_workers
                     WHERE last_heartbeat > now() - interval '10 seconds') AS workers
              FROM renum.procrastinate_jobs
             WHERE status IN ('todo', 'doing') AND queue_name <> %(webhooks)s
               -- What is only repeated, under a lock of its own name, is no work that waits.
               AND queueing_lock IS DISTINCT FROM task_name
            """,
            {"webhooks": WEBHOOKS},
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  an aggregate always has one row
        return QueueDepth(row["pending"], row["running"], row["workers"])

    async def _defer_for(self, queue: str, task: str, execution_id: UUID, *, priority: int) -> None:
        await self._defer(
            queue=queue,
            task=task,
            priority=priority,
            lock=f"{task}:{execution_id}",
            args={"execution_id": str(execution_id)},
            at=None,
        )

    async def _defer(
        self,
        *,
        queue: str,
        task: str,
        priority: int,
        lock: str,
        args: dict[str, str],
        at: datetime | None,
    ) -> None:
        await self._connection.execute(
            _DEFER,
            {
                "queue": queue,
                "task": task,
                "priority": priority,
                "lock": lock,
                "args": Jsonb(args),
                "at": at,
            },
        )
