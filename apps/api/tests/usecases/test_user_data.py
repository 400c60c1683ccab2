"""Nothing of a user is deleted while anything of it still runs, and costs."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from app.common.tasks import background
from app.domain.agents import Answer, SunaUnavailable
from app.domain.execution_errors import ExecutionNotFound
from app.infra.db.database import PostgresDatabase
from app.usecases.user_data import StillRunning, delete_user
from tests.builders import an_execution
from tests.world import LIMITS, World, now


async def forever(_agent: UUID, _prompt: str) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


async def delete(world: World, user_id: UUID) -> dict[str, int]:
    return await delete_user(
        world.db, world.runtime_of, LIMITS, uuid4, now, user_id, patience=timedelta(0)
    )


async def test_while_suna_is_away_nothing_is_deleted(world: World) -> None:
    world.runtime.behaviour = forever
    execution = await world.begin()
    async with background(world.engine.drive(execution.id), name="engine"):
        async with asyncio.timeout(10):
            while (await world.report(execution)).results[0].run is None:
                await asyncio.sleep(0.01)
        world.runtime.stop_errors = [SunaUnavailable("away")]
        with pytest.raises(StillRunning, match="Nothing was deleted"):
            await delete(world, execution.user_id)
        assert (await world.report(execution)).status == "cancelled"
        deleted = await delete(world, execution.user_id)  # it is back
        assert deleted["executions"] == 1
        assert len(world.runtime.stopped) == 1
        with pytest.raises(ExecutionNotFound):
            await world.report(execution)


async def test_what_waits_does_not_take_the_place_of_what_is_cancelled(
    db: PostgresDatabase, world: World
) -> None:
    first = an_execution(now=now())
    waiting = [an_execution(now=now(), queued=True) for _ in range(3)]
    for execution in (first, *waiting):
        execution.user_id = first.user_id
        async with db.transaction() as tx:
            await tx.executions.add(execution)
    deleted = await delete(world, first.user_id)
    assert deleted["executions"] == 4
    assert world.runtime.starts == []
    async with db.autocommit() as tx:
        assert not any((await tx.user_data.count(first.user_id)).values())
