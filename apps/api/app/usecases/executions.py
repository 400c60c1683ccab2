"""Executions as a person starts, watches and cancels them; the engine does the rest."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from app.common.paging import Page, Paged
from app.domain.events import ExecutionLog
from app.domain.execution import Execution, ExecutionConfig, TraceContext
from app.domain.execution_errors import TooManyExecutions
from app.domain.explain import Explanation, explain
from app.domain.progress import ExecutionStatus
from app.domain.reports import (
    ExecutionFilters,
    ExecutionReport,
    ExecutionSummary,
    Load,
    first_report,
)
from app.domain.results import AgentResult
from app.domain.teams import Team, TeamNotActive, TeamStatus
from app.domain.templates import Examine
from app.domain.texts import TextField
from app.domain.timeline import Timeline, timeline
from app.domain.workflow import compile_plan
from app.usecases.idempotency import Idempotent
from app.usecases.limits import Limits
from app.usecases.ports import Database, NewId, Transaction


async def execute_team(
    db: Database,
    examine: Examine,
    new_id: NewId,
    limits: Limits,
    team_id: UUID,
    *,
    user_id: UUID,
    prompt: str,
    context: dict[str, object],
    config: ExecutionConfig,
    now: datetime,
    idempotent: Idempotent[ExecutionReport],
    trace_context: TraceContext | None = None,
) -> ExecutionReport:
    """
    Commit an execution and its job, and answer; Suna is not asked for anything.

    It runs at once when the user has a free slot, else it waits its turn. Raises TeamNotFound,
    TeamNotActive, TooManyExecutions, and what *idempotent* raises.
    """
    async with db.transaction() as tx:
        await idempotent.begin(tx)
        await tx.events.lock(user_id)
        team = await _active_team(tx, team_id, user_id=user_id)
        load = await _admit(tx, team_id, user_id=user_id, limits=limits)
        execution = Execution.create(
            team,
            compile_plan(team.workflow_type, team.agents, examine),
            id=new_id(),
            prompt=prompt,
            context=context,
            config=config,
            queued=_must_wait(load, limits),
            typical_s=load.typical_s,
            now=now,
            trace_context=trace_context,
        )
        report = await _begin(tx, execution, load)
        await idempotent.keep(tx, report)
        return report


async def retry_execution(
    db: Database,
    new_id: NewId,
    limits: Limits,
    execution_id: UUID,
    *,
    user_id: UUID,
    now: datetime,
    idempotent: Idempotent[ExecutionReport],
    trace_context: TraceContext | None = None,
) -> ExecutionReport:
    """
    Run again what an execution did not complete, as a new one that takes over the rest.

    The plan is the one that it began with, whatever has become of the team since. Raises
    ExecutionNotFound, NotRetryable, TeamNotFound, TeamNotActive, TooManyExecutions, and what
    *idempotent* raises.
    """
    async with db.transaction() as tx:
        await idempotent.begin(tx)
        await tx.events.lock(user_id)
        earlier = await tx.executions.load(execution_id, user_id=user_id)
        await _active_team(tx, earlier.team_id, user_id=user_id)
        asked = earlier.inputs.missing_for_conditions()
        earlier.recall(await tx.executions.texts(execution_id, TextField.OUTPUT, asked))
        load = await _admit(tx, earlier.team_id, user_id=user_id, limits=limits)
        execution = earlier.again(
            id=new_id(),
            queued=_must_wait(load, limits),
            typical_s=load.typical_s,
            now=now,
            trace_context=trace_context,
        )
        report = await _begin(tx, execution, load)
        await idempotent.keep(tx, report)
        return report


async def _active_team(tx: Transaction, team_id: UUID, *, user_id: UUID) -> Team:
    team = await tx.teams.get(team_id, user_id=user_id)
    if team.status is not TeamStatus.ACTIVE:
        raise TeamNotActive(team)
    return team


async def _admit(tx: Transaction, team_id: UUID, *, user_id: UUID, limits: Limits) -> Load:
    """What goes on already, if there is room for another execution, to run or to wait; call it
    with the user's lock."""
    load = await tx.reports.load(team_id, user_id=user_id)
    if _must_wait(load, limits) and load.queued >= limits.queued:
        raise TooManyExecutions(load.queued)
    return load


def _must_wait(load: Load, limits: Limits) -> bool:
    return load.running >= limits.running or load.queued > 0


async def _begin(tx: Transaction, execution: Execution, load: Load) -> ExecutionReport:
    queued = execution.status is ExecutionStatus.PENDING
    report = first_report(execution, queue_position=load.queued + 1 if queued else None)
    await tx.executions.add(execution)
    if not queued:
        await tx.jobs.drive(execution.id, behind=load.running)
    return report


async def open_text(
    db: Database, execution_id: UUID, key: str, field: TextField, *, user_id: UUID
) -> AsyncIterator[bytes]:
    """
    The whole input or output of an agent in UTF-8, piece by piece; holds one piece in memory, and
    no connection between two.

    Raises ExecutionNotFound, TextNotFound before anything is read.
    """

    async def piece(offset: int) -> bytes:
        async with db.autocommit() as tx:
            return await tx.reports.text_piece(
                execution_id, key, field, user_id=user_id, offset=offset
            )

    async def pieces(current: bytes) -> AsyncIterator[bytes]:
        offset = 0
        while current:
            yield current
            offset += len(current)
            current = await piece(offset)

    return pieces(await piece(0))


async def explain_execution(
    db: Database, limits: Limits, execution_id: UUID, *, user_id: UUID
) -> Explanation:
    """What it waits for, and what happens next. Raises ExecutionNotFound."""
    async with db.autocommit() as tx:
        # In this order: an execution that ends in between has ended, and needs no job.
        job = await tx.jobs.state(execution_id)
        report = await tx.reports.report(execution_id, user_id=user_id)
    return explain(report, job, running_limit=limits.running)


async def execution_timeline(
    db: Database, execution_id: UUID, *, user_id: UUID, now: datetime
) -> Timeline:
    """Where its time went so far. Raises ExecutionNotFound."""
    async with db.autocommit() as tx:
        return timeline(await tx.reports.recorded(execution_id, user_id=user_id), now)


async def get_execution(db: Database, execution_id: UUID, *, user_id: UUID) -> ExecutionReport:
    """Raises ExecutionNotFound."""
    async with db.autocommit() as tx:
        return await tx.reports.report(execution_id, user_id=user_id)


async def list_executions(
    db: Database, page: Page, *, user_id: UUID, filters: ExecutionFilters
) -> Paged[ExecutionSummary]:
    """The user's executions, newest first."""
    async with db.autocommit() as tx:
        return await tx.reports.page(page, user_id=user_id, filters=filters)


async def execution_logs(
    db: Database, execution_id: UUID, *, user_id: UUID, after: int, limit: int
) -> list[ExecutionLog]:
    """Raises ExecutionNotFound, LogsExpired."""
    async with db.autocommit() as tx:
        return await tx.reports.logs(execution_id, user_id=user_id, after=after, limit=limit)


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


async def whole_input(db: Database, execution_id: UUID, result: AgentResult) -> str:
    """What an agent was given, also when its row holds only the beginning."""
    if not result.input_truncated:
        return result.input or ""
    async with db.autocommit() as tx:
        texts = await tx.executions.texts(execution_id, TextField.INPUT, [result.key])
    return texts[result.key]


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
    await promote_waiting(tx, execution.user_id, limits, now=now)


async def promote_waiting(tx: Transaction, user_id: UUID, limits: Limits, *, now: datetime) -> None:
    """Start as many waiting executions of a user as have a slot, in order."""
    running, queued = await tx.executions.unfinished(user_id)
    for behind in range(running, min(running + queued, limits.running)):
        waiting = await tx.executions.next_pending(user_id)
        if waiting is None:
            return
        waiting.promote(now)
        await tx.executions.save(waiting)
        await tx.jobs.drive(waiting.id, behind=behind)
