"""Stops the remote runs of executions that ended early, until Suna confirms."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.agents import RunLost, RunRef, StartUnknown, SunaRefused, SunaUnavailable
from app.domain.results import AgentResult, Attachment, RemoteStop
from app.usecases.executions import whole_input
from app.usecases.ports import AgentRuntime, Database
from app.usecases.spans import NoSpans, Spans

#: For so long after an attempt began, a run that Suna does not know may still appear: its start
#: may be under way, and even an answered one is unknown for seconds (suna.md §1.4).
_MAY_APPEAR = timedelta(seconds=45)


async def stop_runs(
    db: Database,
    runtime_of: Callable[[UUID], AgentRuntime],
    execution_id: UUID,
    *,
    now: datetime,
    last: bool,
    spans: Spans | None = None,
) -> None:
    """
    Stop whatever still runs for an execution, and store the receipt of each.

    Raises SunaUnavailable when some could not be asked, or may still appear: the queue then calls
    again; at the *last* call they are marked as unconfirmed instead.
    """
    async with db.autocommit() as tx:
        found = await tx.executions.stops(execution_id)
    if found is None:
        return
    spans = spans or NoSpans()
    with spans.job("stop runs", execution_id, found.user_id, found.trace_context):
        await _stop_all(db, runtime_of(found.user_id), execution_id, found.results, now, last=last)


async def _stop_all(
    db: Database,
    runtime: AgentRuntime,
    execution_id: UUID,
    results: Sequence[AgentResult],
    now: datetime,
    *,
    last: bool,
) -> None:
    away: SunaUnavailable | None = None
    for result in results:
        try:
            state = await _stop(db, runtime, execution_id, result, now)
        except SunaUnavailable as error:
            away = error
            state = RemoteStop.UNCONFIRMED if last else RemoteStop.PENDING
        if state is not RemoteStop.PENDING:
            async with db.autocommit() as tx:
                await tx.executions.set_remote_stop(execution_id, result.key, state)
    if away is not None and not last:
        raise away


async def _stop(
    db: Database, runtime: AgentRuntime, execution_id: UUID, result: AgentResult, now: datetime
) -> RemoteStop:
    may_appear = result.attempt_at is not None and now < result.attempt_at + _MAY_APPEAR
    try:
        run = result.run or await _find(db, runtime, execution_id, result)
        if run is None:
            if may_appear:
                raise SunaUnavailable("The run is not there, but its start may be under way.")
            return RemoteStop.NOT_NEEDED
        await runtime.stop(run)
    except RunLost as error:
        if may_appear:
            raise SunaUnavailable("Suna does not know the run yet.") from error
        return RemoteStop.CONFIRMED
    except (SunaRefused, StartUnknown):
        return RemoteStop.UNCONFIRMED
    return RemoteStop.CONFIRMED


async def _find(
    db: Database, runtime: AgentRuntime, execution_id: UUID, result: AgentResult
) -> RunRef | None:
    """The run of a start that was intended, and whose answer was never stored."""
    assert result.run_key is not None  # noqa: S101  nothing else is to be stopped
    assert result.attempt_at is not None  # noqa: S101
    prompt = await whole_input(db, execution_id, result)
    found = await runtime.find(result.agent_id, prompt, key=result.run_key, since=result.attempt_at)
    for run in found:
        async with db.autocommit() as tx:
            if await tx.executions.attach(execution_id, result, run) is Attachment.OURS:
                return run
    return None
