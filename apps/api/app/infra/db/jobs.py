"""Puts jobs into Procrastinate's queue on our own connection, so that they commit with our rows."""

from uuid import UUID

from psycopg.types.json import Jsonb

from app.infra.db.connection import Connection
from app.usecases.ports import QueueDepth

QUEUE = "executions"
DRIVE = "drive_execution"
STOP = "stop_runs"

_DEFER = """
SELECT renum.procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, 0, %(lock)s, %(lock)s, %(args)s, NULL)
    ::renum.procrastinate_job_to_defer_v1
])
WHERE NOT EXISTS (
    SELECT FROM renum.procrastinate_jobs WHERE queueing_lock = %(lock)s AND status = 'todo'
)
"""


class JobStore:
    """The `Jobs` port. The lock of a job keeps a second one for the same thing from running."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def drive(self, execution_id: UUID) -> None:
        await self._defer(DRIVE, execution_id)

    async def stop_runs(self, execution_id: UUID) -> None:
        await self._defer(STOP, execution_id)

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

    async def depth(self) -> QueueDepth:
        cursor = await self._connection.execute(
            """
            SELECT count(*) FILTER (WHERE status = 'todo') AS pending,
                   count(*) FILTER (WHERE status = 'doing') AS running,
                   (SELECT count(*) FROM renum.procrastinate_workers
                     WHERE last_heartbeat > now() - interval '10 seconds') AS workers
              FROM renum.procrastinate_jobs WHERE status IN ('todo', 'doing')
            """
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  an aggregate always has one row
        return QueueDepth(row["pending"], row["running"], row["workers"])

    async def _defer(self, task: str, execution_id: UUID) -> None:
        await self._connection.execute(
            _DEFER,
            {
                "queue": QUEUE,
                "task": task,
                "lock": f"{task}:{execution_id}",
                "args": Jsonb({"execution_id": str(execution_id)}),
            },
        )
