"""The event log loses its beginning with time, and never anything else."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.common.tasks import background
from app.domain.events import TeamUpdated
from app.domain.watching import ResyncRequired
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.queue.worker import Periodic, QueueWorker
from app.infra.websocket.hub import Hub
from app.usecases import retention
from app.usecases.retention import prune_events

NOW = datetime(2026, 3, 1, tzinfo=UTC)
#: Hours before the time from which on events are kept; below zero is younger.
Ages = list[int]


async def write(db: PostgresDatabase, url: str, ages: Ages) -> UUID:
    """A user whose events have these ages, in the order of their ids."""
    user_id = uuid4()
    if ages:
        async with db.transaction() as tx:
            event = TeamUpdated(team_id=uuid4(), action="updated", name="T", version=1)
            await tx.events.append(user_id, [event] * len(ages))
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(
                """
                UPDATE renum.events e SET created_at = a.at
                  FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS a (at, id)
                 WHERE e.user_id = %s AND e.id = a.id
                """,
                ([NOW - timedelta(hours=age) for age in ages], user_id),
            )
    return user_id


async def kept(db: PostgresDatabase, user_id: UUID) -> list[int]:
    async with db.autocommit() as tx:
        return [e.id for e in await tx.events.after(user_id, 0, limit=10_000)]


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(logs=st.lists(st.lists(st.integers(-3, 3), max_size=12), min_size=1, max_size=4))
def test_of_every_log_the_old_beginning_goes(shared_database_url: str, logs: list[Ages]) -> None:
    async def check() -> None:
        async with create_pool(shared_database_url, size=2) as pool:
            db = PostgresDatabase(pool)
            users = [await write(db, shared_database_url, ages) for ages in logs]
            await prune_events(db, before=NOW)
            for user_id, ages in zip(users, logs, strict=True):
                first_young = next((n for n, age in enumerate(ages) if age <= 0), len(ages))
                assert await kept(db, user_id) == list(range(first_young + 1, len(ages) + 1))

    asyncio.run(check())


async def test_it_goes_in_pieces(
    db: PostgresDatabase, shared_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    users = [await write(db, shared_database_url, [1] * n + [-1]) for n in (3, 4, 5, 8)]
    assert await prune_events(db, before=NOW) >= 20
    for user_id, first in zip(users, (4, 5, 6, 9), strict=True):
        assert await kept(db, user_id) == [first]
    assert await prune_events(db, before=NOW) == 0


async def test_two_at_once_do_no_harm_and_ids_go_on(
    db: PostgresDatabase, shared_database_url: str
) -> None:
    user_id = await write(db, shared_database_url, [1] * 500)
    event = TeamUpdated(team_id=uuid4(), action="updated", name="T", version=1)

    async def tell() -> None:
        for _ in range(20):
            async with db.transaction() as tx:
                await tx.events.append(user_id, [event])

    await asyncio.gather(prune_events(db, before=NOW), prune_events(db, before=NOW), tell())
    assert await kept(db, user_id) == list(range(501, 521))


async def test_who_was_away_for_too_long_is_told(
    db: PostgresDatabase, shared_database_url: str
) -> None:
    user_id = await write(db, shared_database_url, [1, 1, 1, -1, -1])
    gone = await write(db, shared_database_url, [1, 1, 1])
    await prune_events(db, before=NOW)
    async with db.autocommit() as tx:
        assert await tx.events.bounds(user_id) == (5, 4)
        assert await tx.events.bounds(gone) == (3, 4)
    hub = Hub(db, max_per_user=2)
    for user, after in ((user_id, 2), (gone, 2)):
        with pytest.raises(ResyncRequired) as error:
            async with hub.subscribe(user, after=after):
                pass
        assert error.value.oldest_event_id == 4
    async with hub.subscribe(user_id, after=3) as watcher:
        assert [m.id for m in await watcher.next()] == [4, 5]
    async with hub.subscribe(gone, after=3) as watcher:  # it knows all there was
        assert watcher.last_event_id == 3


async def test_a_worker_repeats_what_is_to_be_repeated(new_database: Callable[[], str]) -> None:
    times: list[float] = []
    twice = asyncio.Event()

    async def fail_the_first_time() -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 1:
            raise ZeroDivisionError
        twice.set()

    async def never(*_: object) -> None:
        raise AssertionError

    url = new_database()
    often = Periodic("often", "* * * * * */1", fail_the_first_time)
    worker = QueueWorker(
        url, drive=never, stop_runs=never, deliver=never, concurrency=1, periodic=[often]
    )
    async with background(worker.run(), name="worker"), asyncio.timeout(30):
        await twice.wait()
    # It is no work that waits, whatever becomes of it.
    async with create_pool(url, size=1) as pool:
        assert (await PostgresDatabase(pool).queue_depth()).pending == 0


async def test_a_tick_that_nobody_was_up_for_is_made_up_for(
    new_database: Callable[[], str],
) -> None:
    done: asyncio.Queue[None] = asyncio.Queue()

    async def never(*_: object) -> None:
        raise AssertionError

    async def note() -> None:
        done.put_nowait(None)

    url = new_database()
    missed = datetime.now(UTC) - timedelta(hours=3)
    daily = Periodic("daily", f"{missed.minute} {missed.hour} * * *", note)
    often = Periodic("often", "* * * * * */1", note)
    for work, times in (([daily], 1), ([daily, often], 1)):
        worker = QueueWorker(
            url, drive=never, stop_runs=never, deliver=never, concurrency=1, periodic=work
        )
        async with background(worker.run(), name="worker"), asyncio.timeout(30):
            for _ in range(times):
                await done.get()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM renum.procrastinate_periodic_defers WHERE task_name = 'daily'"
        )
        assert await cursor.fetchone() == (1,)
