"""A receipt says `confirmed` when the run has stopped, `not_needed` when there surely is none."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from app.domain.agents import Answer, RunLost, StartUnknown, SunaRefused, SunaUnavailable
from app.domain.execution import Execution
from app.domain.results import RemoteStop
from app.usecases.executions import cancel_execution
from app.usecases.remote_stop import stop_runs
from tests.builders import a_team, an_agent
from tests.world import LIMITS, World, now

SOON, LATER = timedelta(seconds=40), timedelta(seconds=50)


async def forever(_agent: UUID, _prompt: str) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


async def cancelled(world: World, *, attached: bool) -> Execution:
    """An execution that was cancelled while its agent worked, or while its start was under way."""
    world.runtime.behaviour = forever
    if not attached:
        world.runtime.lose_answers = [StartUnknown("lost")]
        world.runtime.find_errors = [SunaUnavailable("away") for _ in range(100_000)]
    execution = await world.begin(a_team(an_agent("a")))
    driver = asyncio.create_task(world.engine.drive(execution.id))
    while not world.runtime.keys or (
        attached and (await world.report(execution)).results[0].run is None
    ):
        await asyncio.sleep(0.005)
    driver.cancel()
    await asyncio.gather(driver, return_exceptions=True)
    world.runtime.find_errors = []
    await cancel_execution(
        world.db, uuid4, LIMITS, execution.id, user_id=execution.user_id, now=now()
    )
    return execution


async def stop(
    world: World, execution: Execution, after: timedelta = SOON, *, last: bool = False
) -> RemoteStop:
    try:
        await stop_runs(world.db, world.runtime_of, execution.id, now=now() + after, last=last)
    except SunaUnavailable:
        assert not last
        assert (await world.report(execution)).results[0].remote_stop is RemoteStop.PENDING
    return (await world.report(execution)).results[0].remote_stop


async def test_what_works_is_stopped(world: World) -> None:
    execution = await cancelled(world, attached=True)
    assert await stop(world, execution) is RemoteStop.CONFIRMED
    assert len(world.runtime.stopped) == 1


async def test_a_run_whose_start_went_unanswered_is_found_and_stopped(world: World) -> None:
    execution = await cancelled(world, attached=False)
    assert await stop(world, execution) is RemoteStop.CONFIRMED
    assert len(world.runtime.stopped) == 1
    assert (await world.report(execution)).results[0].run is not None


async def test_a_start_that_is_still_under_way_is_waited_for(world: World) -> None:
    execution = await cancelled(world, attached=False)
    ((key, run),) = world.runtime.keys.items()
    del world.runtime.keys[key]
    assert await stop(world, execution, SOON) is RemoteStop.PENDING
    world.runtime.keys[key] = run  # it appears
    assert await stop(world, execution, SOON) is RemoteStop.CONFIRMED
    assert world.runtime.stopped == [run]


async def test_what_never_appears_needs_no_stop(world: World) -> None:
    execution = await cancelled(world, attached=False)
    world.runtime.keys.clear()
    assert await stop(world, execution, LATER) is RemoteStop.NOT_NEEDED


@pytest.mark.parametrize(
    ("after", "receipt"), [(SOON, RemoteStop.PENDING), (LATER, RemoteStop.CONFIRMED)]
)
async def test_a_run_that_suna_does_not_know_may_still_appear(
    world: World, after: timedelta, receipt: RemoteStop
) -> None:
    execution = await cancelled(world, attached=True)
    world.runtime.stop_errors = [RunLost("404")]
    assert await stop(world, execution, after) is receipt


@pytest.mark.parametrize("attached", [True, False])
async def test_what_was_asked_for_the_last_time_in_vain_is_unconfirmed(
    world: World, attached: bool
) -> None:
    execution = await cancelled(world, attached=attached)
    world.runtime.stop_errors = [SunaUnavailable("away")] * 4
    if not attached:
        world.runtime.keys.clear()
    for _ in range(3):
        assert await stop(world, execution) is RemoteStop.PENDING
    assert await stop(world, execution, last=True) is RemoteStop.UNCONFIRMED


async def test_what_suna_refuses_to_stop_is_unconfirmed(world: World) -> None:
    execution = await cancelled(world, attached=True)
    world.runtime.stop_errors = [SunaRefused("401")]
    assert await stop(world, execution) is RemoteStop.UNCONFIRMED


async def test_where_nobody_can_tell_the_receipt_says_so(world: World) -> None:
    execution = await cancelled(world, attached=False)
    world.runtime.find_errors = [StartUnknown("no way to find it")]
    assert await stop(world, execution) is RemoteStop.UNCONFIRMED


async def test_a_stop_that_waits_for_its_next_try_is_due_when_more_is_to_be_stopped(
    world: World,
) -> None:
    execution = await cancelled(world, attached=True)
    async with world.db.autocommit() as tx:
        connection = tx.executions._connection
        lock = f"stop_runs:{execution.id}"
        await connection.execute(
            "UPDATE renum.procrastinate_jobs SET attempts = 59, scheduled_at = now() + "
            "interval '1 minute' WHERE queueing_lock = %s",
            (lock,),
        )
        await tx.jobs.stop_runs(execution.id)
        cursor = await connection.execute(
            "SELECT attempts, scheduled_at FROM renum.procrastinate_jobs WHERE queueing_lock = %s",
            (lock,),
        )
        rows = [(row["attempts"], row["scheduled_at"]) for row in await cursor.fetchall()]
    assert rows == [(0, None)]
