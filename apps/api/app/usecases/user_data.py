"""One user's data as a whole: handed out, or deleted."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from app.common.paging import Page
from app.domain.agents import SunaUnavailable
from app.domain.errors import Conflict
from app.domain.execution_errors import ExecutionFinished
from app.domain.progress import ExecutionStatus
from app.domain.reports import ExecutionFilters
from app.usecases.executions import cancel_execution
from app.usecases.limits import Limits
from app.usecases.ports import AgentRuntime, Clock, Database, NewId
from app.usecases.remote_stop import stop_runs

logger = logging.getLogger(__name__)

#: A run that Suna does not know may still appear for 45 s; then it is sure that there is none.
PATIENCE = timedelta(seconds=120)
LOOK_AGAIN_S = 1.0


class StillRunning(Conflict):
    """Something of the user's still runs and could not be stopped; nothing was deleted."""

    code = "still_running"
    title = "Something still runs"

    def __init__(self, unfinished: int, to_stop: int) -> None:
        super().__init__(
            f"{unfinished} executions have not ended, and of {to_stop} others runs at Suna could "
            "not be stopped. Nothing was deleted; see that Suna answers and that the account may "
            "not sign in any more, and try again."
        )


async def delete_user(
    db: Database,
    runtime_of: Callable[[UUID], AgentRuntime],
    limits: Limits,
    new_id: NewId,
    clock: Clock,
    user_id: UUID,
    *,
    patience: timedelta = PATIENCE,
) -> dict[str, int]:
    """
    Delete all that is stored about a user, in one transaction; rows by table.

    Before that, what runs is cancelled and stopped at Suna, where it would go on to cost. Live
    connections are closed. Raises StillRunning after *patience*, with nothing deleted.
    """
    give_up_at = clock() + patience
    while True:
        await _cancel_all(db, limits, new_id, clock, user_id)
        await _stop_all(db, runtime_of, clock, user_id)
        async with db.transaction() as tx:
            await tx.events.lock(user_id)
            unfinished = sum(await tx.executions.unfinished(user_id))
            to_stop = len(await tx.user_data.to_stop(user_id))
            if not unfinished and not to_stop:
                deleted = await tx.user_data.delete(user_id)
                await tx.events.ring(user_id)
                break
        if clock() >= give_up_at:
            raise StillRunning(unfinished, to_stop)
        await asyncio.sleep(LOOK_AGAIN_S)
    logger.warning("deleted all data of user %s: %s", user_id, _told(deleted))
    return deleted


async def _cancel_all(
    db: Database, limits: Limits, new_id: NewId, clock: Clock, user_id: UUID
) -> None:
    # What waits first: it would take the place of what runs.
    for status in (ExecutionStatus.PENDING, ExecutionStatus.RUNNING):
        async with db.autocommit() as tx:
            found = await tx.reports.page(
                Page(limit=1_000), user_id=user_id, filters=ExecutionFilters(statuses=(status,))
            )
        for execution in found.items:
            try:
                await cancel_execution(
                    db, new_id, limits, execution.id, user_id=user_id, now=clock()
                )
            except ExecutionFinished:  # by itself, in between
                continue


async def _stop_all(
    db: Database, runtime_of: Callable[[UUID], AgentRuntime], clock: Clock, user_id: UUID
) -> None:
    async with db.autocommit() as tx:
        to_stop = await tx.user_data.to_stop(user_id)
    for execution_id in to_stop:
        try:
            await stop_runs(db, runtime_of, execution_id, now=clock(), last=False)
        except SunaUnavailable as error:
            logger.info("runs of execution %s are not stopped yet: %s", execution_id, error)


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {table}" for table, n in counts.items() if n) or "there was nothing"
