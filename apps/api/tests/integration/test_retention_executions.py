"""What ended long ago goes whole; what has not ended, or is still told of, stays."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from app.common.ids import NIL, first_id_at
from app.domain.execution import Execution
from app.domain.execution_errors import ExecutionNotFound, LogsExpired
from app.infra.db.database import PostgresDatabase, create_pool
from app.usecases import retention
from app.usecases.retention import Kept, prune_ended
from tests.builders import a_team, an_agent, an_execution
from tests.fake_runtime import FakeRuntime
from tests.world import Heard, World, now

DAY = timedelta(days=1)
OF_EXECUTION = ("agent_results", "execution_logs", "texts")
Rows = list[dict[str, object]]


class Place:
    """A database of its own, with executions of any age."""

    def __init__(self, url: str, db: PostgresDatabase) -> None:
        self.url, self.db = url, db
        self.world = World(db, FakeRuntime(), Heard())

    async def ended(self, age: timedelta, *, prompt: str = "Sell product X") -> Execution:
        """Ran to its end that long ago."""
        execution = await self.begun(age, prompt=prompt)
        await self.world.engine.drive(execution.id)
        await self.sql(
            "UPDATE renum.executions SET completed_at = %s WHERE id = %s",
            (now() - age, execution.id),
        )
        return execution

    async def begun(self, age: timedelta, *, prompt: str = "Sell product X") -> Execution:
        id_ = UUID(int=first_id_at(now() - age).int | uuid4().int >> 66)
        team = a_team(an_agent("a"))
        execution = an_execution(team, now=now(), id_=id_, prompt=prompt)
        async with self.db.transaction() as tx:
            await tx.executions.add(execution)
        return execution

    async def sql(self, query: str, values: tuple[object, ...] = ()) -> Rows:
        async with await psycopg.AsyncConnection.connect(
            self.url, autocommit=True, row_factory=dict_row
        ) as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def rows_of(self, execution: Execution) -> dict[str, int]:
        counts = {}
        for table in OF_EXECUTION:
            query = f"SELECT count(*) AS n FROM renum.{table} WHERE execution_id = %s"
            (row,) = await self.sql(query, (execution.id,))
            counts[table] = int(str(row["n"]))
        return counts

    async def exists(self, execution: Execution) -> bool:
        try:
            async with self.db.autocommit() as tx:
                await tx.reports.report(execution.id, user_id=execution.user_id)
        except ExecutionNotFound:
            return False
        return True

    async def prune(self, **kept: timedelta) -> None:
        await prune_ended(self.db, Kept(events=7 * DAY, **kept), now=now())


@pytest.fixture
async def place(new_database: Callable[[], str]) -> AsyncIterator[Place]:
    url = new_database()
    async with create_pool(url, size=3) as pool:
        yield Place(url, PostgresDatabase(pool))


async def test_an_execution_goes_whole_and_what_tells_of_it_too(place: Place) -> None:
    long = "x" * 300_000
    old, young = [await place.ended(age, prompt=long) for age in (31 * DAY, 29 * DAY)]
    assert all((await place.rows_of(old)).values())
    # Notifications tell when, and their ids too.
    await place.sql(
        "UPDATE renum.notifications SET id = %s, created_at = %s WHERE data->>'execution_id' = %s",
        (first_id_at(now() - 31 * DAY), now() - 31 * DAY, str(old.id)),
    )
    await place.prune(executions=30 * DAY)
    assert not await place.exists(old)
    assert not any((await place.rows_of(old)).values())
    assert await place.exists(young)
    assert all((await place.rows_of(young)).values())
    told = await place.sql("SELECT data->>'execution_id' AS id FROM renum.notifications")
    assert [row["id"] for row in told] == [str(young.id)]


async def test_without_settings_nothing_goes(place: Place) -> None:
    old = await place.ended(4_000 * DAY)
    before = await place.rows_of(old)
    await place.prune()
    assert await place.rows_of(old) == before


async def test_what_has_not_ended_stays_however_old(place: Place) -> None:
    running = await place.begun(90 * DAY)
    late = await place.begun(90 * DAY)  # began long ago, has just ended
    await place.world.engine.drive(late.id)
    stopping = await place.ended(90 * DAY)
    await place.sql(
        "UPDATE renum.agent_results SET remote_stop = 'pending' WHERE execution_id = %s",
        (stopping.id,),
    )
    await place.prune(executions=30 * DAY, logs=30 * DAY)
    assert [await place.exists(e) for e in (running, late, stopping)] == [True, True, True]
    assert (await place.rows_of(running))["execution_logs"]
    await place.sql("UPDATE renum.agent_results SET remote_stop = 'confirmed'")
    await place.prune(executions=30 * DAY)
    assert [await place.exists(e) for e in (running, late, stopping)] == [True, True, False]


async def test_log_lines_may_go_before_their_execution(place: Place) -> None:
    old, young = [await place.ended(age) for age in (31 * DAY, 29 * DAY)]
    await place.prune(logs=30 * DAY)
    async with place.db.autocommit() as tx:
        report = await tx.reports.report(old.id, user_id=old.user_id)
        assert (report.logs, report.logs_truncated) == ((), True)
        assert report.results[0].output
        for after in (0, 2):
            with pytest.raises(LogsExpired):
                await tx.reports.logs(old.id, user_id=old.user_id, after=after, limit=10)
        report = await tx.reports.report(young.id, user_id=young.user_id)
        assert not report.logs_truncated
        assert await tx.reports.logs(young.id, user_id=young.user_id, after=0, limit=10)
        assert await tx.reports.logs(young.id, user_id=young.user_id, after=99, limit=10) == []


async def test_it_goes_in_pieces_and_waits_for_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EXECUTIONS_BATCH", 2)
    monkeypatch.setattr(retention, "BATCH", 2)
    old = [await place.ended((40 - n) * DAY) for n in range(7)]
    async with await psycopg.AsyncConnection.connect(place.url) as busy:
        await busy.execute("SELECT FROM renum.executions WHERE id = %s FOR UPDATE", (old[2].id,))
        await place.prune(executions=30 * DAY)
        assert [await place.exists(e) for e in old] == [n == 2 for n in range(7)]
    await place.prune(executions=30 * DAY)
    assert not await place.exists(old[2])


async def test_each_step_is_bounded_and_goes_on_where_the_last_one_ended(place: Place) -> None:
    old = [await place.ended((40 - n) * DAY) for n in range(3)]
    before = datetime.now(UTC) - 30 * DAY
    async with place.db.autocommit() as tx:
        for prune in (tx.retention.prune_logs, tx.retention.prune_executions):
            first = await prune(before, after=NIL, limit=2)
            assert (first.count, first.last) == (2, old[1].id)
            second = await prune(before, after=old[1].id, limit=2)
            assert (second.count, second.last) == (1, old[2].id)
            third = await prune(before, after=old[2].id, limit=2)
            assert (third.count, third.last) == (0, None)


async def test_notifications_go_by_themselves_too(place: Place) -> None:
    await place.ended(1 * DAY)
    await place.sql(
        "UPDATE renum.notifications SET id = %s, created_at = %s",
        (first_id_at(now() - 11 * DAY), now() - 11 * DAY),
    )
    await place.prune(notifications=12 * DAY)
    assert len(await place.sql("SELECT id FROM renum.notifications")) == 1
    await place.prune(notifications=10 * DAY)
    assert await place.sql("SELECT id FROM renum.notifications") == []
