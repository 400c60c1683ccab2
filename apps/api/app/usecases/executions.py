"""Executions as a person starts, watches and cancels them; the engine does the rest."""

from datetime import datetime
from uuid import UUID

from app.common.paging import Page, Paged
from app.domain.events import ExecutionLog
from app.domain.execution import Execution, ExecutionConfig, TooManyExecutions
from app.domain.reports import ExecutionFilters, ExecutionReport, ExecutionSummary
from app.domain.teams import TeamNotActive, TeamStatus
from app.domain.workflow import compile_plan
from app.usecases.ports import Database, NewId, Transaction
from app.usecases.services import Limits


async def execute_team(
    db: Database,
    new_id: NewId,
    limits: Limits,
    team_id: UUID,
    *,
    user_id: UUID,
    prompt: str,
    context: dict[str, object],
    config: ExecutionConfig,
    now: datetime,
) -> ExecutionReport:
    """
    Commit an execution and its job, and answer; Suna is not asked for anything.

    It runs at once when the user has a free slot, else it waits its turn. Raises TeamNotFound,
    TeamNotActive, TooManyExecutions.
    """
    async with db.transaction() as tx:
        await tx.events.lock(user_id)
        team = await tx.teams.get(team_id, user_id=user_id)
        if team.status is not TeamStatus.ACTIVE:
            raise TeamNotActive(team)
        running, queued = await tx.executions.unfinished(user_id)
        must_wait = running >= limits.running or queued > 0
        if must_wait and queued >= limits.queued:
            raise TooManyExecutions(queued)
        execution = Execution.create(
            team,
            compile_plan(team.workflow_type, team.agents),
            id=new_id(),
            prompt=prompt,
            context=context,
            config=config,
            queued=must_wait,
            typical_s=await tx.executions.typical_s(team_id),
            now=now,
        )
        await tx.executions.add(execution)
        if not must_wait:
            await tx.jobs.drive(execution.id)
        return await tx.executions.report(execution.id, user_id=user_id)


async def get_execution(db: Database, execution_id: UUID, *, user_id: UUID) -> ExecutionReport:
    """Raises ExecutionNotFound."""
    async with db.reading() as tx:
        return await tx.executions.report(execution_id, user_id=user_id)


async def list_executions(
    db: Database, page: Page, *, user_id: UUID, filters: ExecutionFilters
) -> Paged[ExecutionSummary]:
    """The user's executions, newest first."""
    async with db.reading() as tx:
        return await tx.executions.page(page, user_id=user_id, filters=filters)


async def execution_logs(
    db: Database, execution_id: UUID, *, user_id: UUID, after: int, limit: int
) -> list[ExecutionLog]:
    """Raises ExecutionNotFound."""
    async with db.reading() as tx:
        return await tx.executions.logs(execution_id, user_id=user_id, after=after, limit=limit)


async def cancel_execution(
    db: Database,
    new_id: NewId,
    limits: Limits,
    execution_id: UUID,
    *,
    user_id: UUID,
    now: datetime,
) -> Execution:
    """
    Cancel at once, and see to it that the remote runs are stopped.

    Cancelling twice is fine. Raises ExecutionNotFound, ExecutionFinished.
    """
    async with db.transaction() as tx:
        await tx.events.lock(user_id)
        execution = await tx.executions.load(execution_id, user_id=user_id)
        if execution.cancel(now, new_id):
            await tx.jobs.abort(execution_id)
            await store(tx, execution, limits, now=now, supersede=True)
        return execution


async def store(
    tx: Transaction,
    execution: Execution,
    limits: Limits,
    *,
    now: datetime,
    supersede: bool = False,
) -> None:
    """Save an execution with what follows from its changes: remote runs to stop and, when it
    has ended, waiting executions of its user to start."""
    stop = execution.needs_remote_stop()
    await tx.executions.save(execution, supersede=supersede)
    if stop:
        await tx.jobs.stop_runs(execution.id)
    if not execution.status.is_final:
        return
    running, queued = await tx.executions.unfinished(execution.user_id)
    for _ in range(min(queued, limits.running - running)):
        waiting = await tx.executions.next_pending(execution.user_id)
        if waiting is None:
            return
        waiting.promote(now)
        await tx.executions.save(waiting)
        await tx.jobs.drive(waiting.id)
