"""The hub on real rows: no gap, no duplicate, and nobody who holds the others up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID, uuid4

import pytest

from app.common.tasks import background
from app.domain.events import ExecutionLog, TeamUpdated
from app.domain.watching import (
    EVERYTHING,
    Interest,
    ResyncRequired,
    SlowWatcher,
    StreamClosing,
    TooManyWatchers,
)
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.websocket import hub as hub_module
from app.infra.websocket import watcher as watcher_module
from app.infra.websocket.bus import PostgresListener
from app.infra.websocket.hub import Hub
from app.usecases.restoring import restart_event_logs
from tests.builders import NOON


async def tell(db: PostgresDatabase, user_id: UUID, count: int = 1) -> None:
    events = [
        TeamUpdated(team_id=uuid4(), action="updated", name="T", version=n) for n in range(count)
    ]
    async with db.transaction() as tx:
        await tx.events.append(user_id, events)


@pytest.fixture
async def hub(db: PostgresDatabase, shared_database_url: str) -> AsyncIterator[Hub]:
    hub = Hub(db, max_per_user=2)
    bus = PostgresListener(shared_database_url, on_ring=hub.ring, on_output=hub.output)
    async with background(hub.run(), name="hub"), background(bus.run(), name="bus"):
        yield hub


async def test_a_watcher_that_joins_amid_writes_misses_nothing(
    db: PostgresDatabase, hub: Hub
) -> None:
    user_id = uuid4()

    async def write() -> None:
        for _ in range(40):
            await tell(db, user_id, 10)

    writer = asyncio.create_task(write())
    seen: list[int] = []
    async with hub.subscribe(user_id, after=0) as watcher, asyncio.timeout(20):
        while len(seen) < 400:
            seen += [m.id for m in await watcher.next()]
    await writer
    assert seen == list(range(1, 401))


async def test_a_slow_watcher_is_let_go_and_others_are_not(db: PostgresDatabase, hub: Hub) -> None:
    user_id = uuid4()
    async with (
        hub.subscribe(user_id, after=None) as slow,
        hub.subscribe(user_id, after=None) as quick,
    ):
        join = asyncio.create_task(slow.next())  # reads its page, then waits
        got = 0
        reader = asyncio.create_task(quick.next())
        await tell(db, user_id)
        await join
        got += len(await reader)
        total = watcher_module.MAX_WAITING + 300
        for _ in range(total // 100):
            await tell(db, user_id, 100)
            async with asyncio.timeout(10):
                got += len(await quick.next())
        async with asyncio.timeout(10):
            while got < total + 1:
                got += len(await quick.next())
            handed_out = await slow.next()
            assert len(handed_out) == watcher_module.MAX_WAITING
            with pytest.raises(SlowWatcher):
                await slow.next()


async def test_a_watcher_hears_what_it_wants_and_knows_how_far_the_log_is(
    db: PostgresDatabase, hub: Hub
) -> None:
    user_id = uuid4()
    await tell(db, user_id, 300)  # more than a page that it does not want
    started = ExecutionLog(
        execution_id=uuid4(), seq=1, timestamp=NOON, level="info", message="x", agent_id=None
    )
    async with db.transaction() as tx:
        await tx.events.append(user_id, [started])
    interest = Interest(execution_ids=frozenset({started.execution_id}))
    async with hub.subscribe(user_id, after=0, interest=interest) as watcher:
        (message,) = await watcher.next()
        assert message.id == 301
        waiting = asyncio.create_task(watcher.next())
        await tell(db, user_id, 5)
        while watcher.last_event_id < 306:
            await asyncio.sleep(0.01)
        assert not waiting.done()
        assert watcher.narrow(EVERYTHING) == 306
        await tell(db, user_id)
        assert [m.id for m in await waiting] == [307]


async def test_a_user_has_so_many_watchers(hub: Hub) -> None:
    user_id = uuid4()
    async with hub.subscribe(user_id, after=None), hub.subscribe(user_id, after=None):
        assert hub.connections == 2
        with pytest.raises(TooManyWatchers):
            async with hub.subscribe(user_id, after=None):
                pass
    assert hub.connections == 0


async def test_an_id_outside_of_the_log_cannot_be_resumed(db: PostgresDatabase, hub: Hub) -> None:
    user_id = uuid4()
    await tell(db, user_id, 5)
    async with db.autocommit() as tx:
        await tx.events._connection.execute(
            "DELETE FROM renum.events WHERE user_id = %s AND id <= 3", (user_id,)
        )
    for after in (1, 9):
        with pytest.raises(ResyncRequired) as error:
            async with hub.subscribe(user_id, after=after):
                pass
        assert error.value.oldest_event_id == 4
    async with hub.subscribe(user_id, after=3) as watcher:
        assert [m.id for m in await watcher.next()] == [4, 5]


async def test_concurrent_writers_of_one_user_leave_no_gap(db: PostgresDatabase) -> None:
    user_id = uuid4()
    await asyncio.gather(*(tell(db, user_id, 3) for _ in range(30)))
    async with db.autocommit() as tx:
        events = await tx.events.after(user_id, 0, limit=1000)
    assert [e.id for e in events] == list(range(1, 91))


async def test_live_text_is_the_first_thing_a_slow_watcher_misses(
    db: PostgresDatabase, hub: Hub
) -> None:
    user_id, execution_id = uuid4(), uuid4()
    limit = watcher_module.MAX_WAITING_OUTPUT
    async with hub.subscribe(user_id, after=None) as watcher:
        for _ in range(limit + 50):
            hub.output(user_id, execution_id, b"{}")
        await tell(db, user_id, 10)
        hub.ring(user_id)
        while watcher.cursor < 10:
            await asyncio.sleep(0.01)
        waiting = await watcher.next()
    assert [m.id for m in waiting] == [None] * limit + list(range(1, 11))


async def test_what_is_awaited_is_written_at_once_and_in_order(
    db: PostgresDatabase, hub: Hub
) -> None:
    """A client that keeps up is not waited for; one that does not gets all of it later."""
    user_id = uuid4()
    written: list[bytes] = []
    takes = True

    def write(texts: Sequence[bytes]) -> bool:
        if takes:
            written.extend(texts)
        return takes

    async with asyncio.timeout(10), hub.subscribe(user_id, after=None) as watcher:
        watcher.write = write
        waiting = asyncio.create_task(watcher.next())
        await asyncio.sleep(0)
        await tell(db, user_id, 3)
        while len(written) < 3:
            await asyncio.sleep(0.01)
        assert not waiting.done()
        assert watcher.last_event_id == 3
        takes = False
        await tell(db, user_id, 2)
        told = await waiting
        takes = True
        await tell(db, user_id, 2)  # nobody waits for it right now: it must not overtake
        while watcher.cursor < 7:
            await asyncio.sleep(0.01)
        told = [*told, *await watcher.next()]
    assert [m.id for m in told] == [4, 5, 6, 7]
    assert len(written) == 3


async def test_a_hub_that_closes_lets_everybody_go(db: PostgresDatabase, hub: Hub) -> None:
    user_id = uuid4()
    async with asyncio.timeout(10), hub.subscribe(user_id, after=None) as watcher:
        waiting = asyncio.create_task(watcher.next())
        await asyncio.sleep(0)
        hub.close()
        with pytest.raises(StreamClosing):
            await waiting
    with pytest.raises(StreamClosing):
        async with hub.subscribe(user_id, after=None):
            pass


@pytest.mark.parametrize("rung", [True, False])
async def test_a_log_that_is_gone_is_told_and_not_waited_for(
    new_database: Callable[[], str], rung: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user was deleted, or a backup restored under a server that went on."""
    monkeypatch.setattr(hub_module, "LOOK_S", 3600 if rung else 0.05)
    async with create_pool(new_database(), size=2) as pool:
        db, user_id = PostgresDatabase(pool), uuid4()
        await tell(db, user_id, 5)
        hub = Hub(db, max_per_user=2)
        async with background(hub.run(), name="hub"), hub.subscribe(user_id, after=5) as watcher:
            waiting = asyncio.create_task(watcher.next())
            await asyncio.sleep(0)
            async with db.transaction() as tx:
                await tx.user_data.delete(user_id)
            await tell(db, user_id, 2)  # begins anew, below what was handed out
            if rung:
                hub.ring(user_id)
            with pytest.raises(ResyncRequired) as error:
                async with asyncio.timeout(10):
                    await waiting
            assert error.value.oldest_event_id == 1
        with pytest.raises(ResyncRequired):
            async with hub.subscribe(user_id, after=5):
                pass


async def test_after_a_restore_no_id_comes_again(new_database: Callable[[], str]) -> None:
    """Neither to users of the backup, nor to those that it does not know."""
    async with create_pool(new_database(), size=2) as pool:
        db, known, forgotten = PostgresDatabase(pool), uuid4(), uuid4()
        await tell(db, known, 5)
        hub = Hub(db, max_per_user=2)
        for _ in range(2):  # a second restore goes further
            floor = await restart_event_logs(db)
            for user_id in (known, forgotten):
                for after in (0, 4, 5, 90):  # 90: what came after the backup
                    with pytest.raises(ResyncRequired) as error:
                        async with hub.subscribe(user_id, after=after):
                            pass
                    assert error.value.oldest_event_id == floor + 1
                async with hub.subscribe(user_id, after=None) as watcher:
                    assert watcher.last_event_id == floor
                await tell(db, user_id, 2)
                async with hub.subscribe(user_id, after=floor) as watcher:
                    assert [m.id for m in await watcher.next()] == [floor + 1, floor + 2]
                with pytest.raises(ResyncRequired):
                    async with hub.subscribe(user_id, after=90):
                        pass
