"""
Ends jobs only for the worker that holds them.

The library asks nobody: a worker that stood still, and whose job was taken over meanwhile, would
end it under the hands of whoever works on it now. Should that one die, nobody would go on.
"""

import logging
from datetime import datetime
from typing import Any

from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from app.infra.db.jobs import DRIVE

logger = logging.getLogger(__name__)

# Whoever takes a job over makes another try of it: so its holder is known by the worker and the
# number of the try. Where a drive has ended and its execution still runs, somebody else has fenced
# it. He may have lost the job before he claimed the execution, and goes on without one: so the
# holder claims it again, a moment later. Under a queueing lock one job waits at most, and does
# what another one would.
_END = """
WITH held AS (
    SELECT id, queueing_lock, abort_requested,
           CASE WHEN %(retry_at)s::timestamptz IS NULL AND task_name = %(drive)s AND EXISTS (
                    SELECT FROM renum.executions e
                     WHERE e.id = (args ->> 'execution_id')::uuid AND e.status = 'running'
                ) THEN now() + interval '1 second'
                ELSE %(retry_at)s END AS again_at
      FROM renum.procrastinate_jobs
     WHERE id = %(id)s AND status = 'doing' AND worker_id = %(worker_id)s
       AND attempts = %(attempts)s
       FOR UPDATE
), put_back AS (
    UPDATE renum.procrastinate_jobs AS job
       SET status = 'todo', attempts = attempts + 1, scheduled_at = held.again_at
      FROM held
     WHERE job.id = held.id AND held.again_at IS NOT NULL AND NOT held.abort_requested
       AND NOT EXISTS (
           SELECT FROM renum.procrastinate_jobs waiting
            WHERE waiting.status = 'todo' AND waiting.queueing_lock = held.queueing_lock
       )
    RETURNING job.id
), done AS (
    DELETE FROM renum.procrastinate_jobs
     WHERE id IN (SELECT id FROM held) AND id NOT IN (SELECT id FROM put_back)
)
SELECT EXISTS (SELECT FROM put_back) AS put_back FROM held
"""


class HeldJobs(JobManager):
    """The library's, with other ends. A job that has ended is deleted, however it ended."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: ARG002
        await self._end(job, None)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,  # noqa: ARG002
        queue: str | None = None,  # noqa: ARG002
        lock: str | None = None,  # noqa: ARG002
    ) -> None:
        """It is tried again as it is: our retries change nothing but the time."""
        assert retry_at is not None  # noqa: S101  each of our retries says when
        await self._end(job, retry_at)

    async def _end(self, job: Job, retry_at: datetime | None) -> None:
        try:
            found = await self._ended(job, retry_at)
        except ConnectorException:
            # The connection broke, or the same was put in at this moment. Left as it is, the job
            # would be held for as long as this worker lives. What did end then is not found.
            found = await self._ended(job, retry_at)
        if not found:
            logger.warning("job %s is no longer held, and is left alone", job.call_string)
        elif retry_at is None and found[0]["put_back"]:
            logger.warning("job %s is put back: its execution still runs", job.call_string)

    async def _ended(self, job: Job, retry_at: datetime | None) -> list[dict[str, Any]]:
        return await self.connector.execute_query_all_async(
            query=_END,
            drive=DRIVE,
            id=job.id,
            worker_id=job.worker_id,
            attempts=job.attempts,
            retry_at=retry_at,
        )
