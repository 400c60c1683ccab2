"""Stops the remote runs of executions that ended early, until Suna confirms."""

from uuid import UUID

from app.domain.agents import RunLost, SunaRefused, SunaUnavailable
from app.domain.results import AgentResult, RemoteStop
from app.usecases.executions import whole_input
from app.usecases.ports import AgentRuntime, Database


async def stop_runs(db: Database, runtime: AgentRuntime, execution_id: UUID, *, last: bool) -> None:
    """
    Stop whatever still runs for an execution, and store the receipt of each.

    Raises SunaUnavailable when some could not be asked: the queue then calls again; at the
    *last* call they are marked as unconfirmed instead.
    """
    async with db.reading() as tx:
        results = await tx.executions.stops(execution_id)
    away: SunaUnavailable | None = None
    for result in results:
        try:
            state = await _stop(db, runtime, execution_id, result)
        except SunaUnavailable as error:
            away = error
            state = RemoteStop.UNCONFIRMED if last else RemoteStop.PENDING
        if state is not RemoteStop.PENDING:
            async with db.reading() as tx:
                await tx.executions.set_remote_stop(execution_id, result.key, state)
    if away is not None and not last:
        raise away


async def _stop(
    db: Database, runtime: AgentRuntime, execution_id: UUID, result: AgentResult
) -> RemoteStop:
    run = result.run
    try:
        if run is None:
            # The start was intended, and its answer never stored.
            if result.run_key is None or result.attempt_at is None or result.input is None:
                return RemoteStop.NOT_NEEDED
            prompt = await whole_input(db, execution_id, result)
            run = await runtime.find(
                result.agent_id, prompt, key=result.run_key, since=result.attempt_at
            )
            if run is None:
                return RemoteStop.NOT_NEEDED
        await runtime.stop(run)
    except RunLost:
        return RemoteStop.CONFIRMED
    except SunaRefused:
        return RemoteStop.UNCONFIRMED
    return RemoteStop.CONFIRMED
