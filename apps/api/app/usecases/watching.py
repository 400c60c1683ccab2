"""What a watcher reads beside the stream itself."""

from collections.abc import Sequence
from uuid import UUID

from app.domain.reports import ExecutionReport
from app.usecases.ports import Database


async def snapshots(
    db: Database, execution_ids: Sequence[UUID], *, user_id: UUID
) -> tuple[int, list[ExecutionReport]]:
    """
    Executions as they were at one moment, and the id of the last event before it.

    Raises ExecutionNotFound.
    """
    async with db.snapshot() as tx:
        last_event_id, _ = await tx.events.bounds(user_id)
        reports = [await tx.reports.report(i, user_id=user_id) for i in execution_ids]
    return last_event_id, reports
