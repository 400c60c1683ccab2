"""An execution as it is read: what is stored of it, whatever is in it."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from app.domain.agents import RunRef
from app.domain.execution import Execution
from app.domain.execution_errors import ExecutionNotFound
from app.domain.history import Mark, Phase
from app.domain.results import AgentStatus, RemoteStop
from app.infra.db.database import PostgresDatabase
from app.infra.db.reports import MAX_LOGS_IN_REPORT
from tests.builders import an_execution
from tests.world import World, now

_ADD_LINES = """
INSERT INTO renum.execution_logs (execution_id, seq, timestamp, level, message, agent_id)
SELECT %s, 1000 + n, now(), 'info', 'Line ' || n, NULL FROM generate_series(1, %s) AS n
"""


async def test_every_field_of_a_result_is_read_as_it_was_stored(world: World) -> None:
    execution = an_execution(now=now())
    at = datetime(2026, 1, 31, 12, 0, 0, 120_000, UTC)
    for result in execution.results.values():
        result.status, result.attempts = AgentStatus.RUNNING, 2
        result.run_key, result.run = uuid4(), RunRef(str(uuid4()), str(uuid4()))
        result.past_runs = ("first", 'se"cond, \\')
        result.attempt_at = result.due_at = result.waiting_since = at
        result.input, result.input_bytes = 'She said: "Olá"\n\t\\ \u2028 🦜 </script>', 40
        result.output, result.output_bytes = "é" * 1_000, 2_000
        result.needs_input = result.reused = True
        result.usage = {"tokens": 2**40}
        result.error_code, result.error_message = "suna_unavailable", "Suna is away."
        result.started_at, result.completed_at = at, at + timedelta(milliseconds=1_234)
        result.remote_stop = RemoteStop.UNCONFIRMED
        result.history = (Mark(Phase.RUNNING, 1, at), Mark(Phase.BACKOFF, 1, at, "run_lost"))
    async with world.db.transaction() as tx:
        await tx.executions.add(execution)
    report = await world.report(execution)
    stored = await _loaded(world.db, execution)
    assert report.results == tuple(execution.results.values()) == tuple(stored.results.values())
    for read, written in zip(report.results, execution.results.values(), strict=True):
        for field in fields(read):
            got, given = getattr(read, field.name), getattr(written, field.name)
            assert type(got) is type(given), field.name
    assert report.config == execution.config
    assert (report.prompt, report.context) == (execution.prompt, execution.context)


async def test_what_has_not_begun_has_no_run(world: World) -> None:
    execution = await world.begin()
    report = await world.report(execution)
    assert {(r.run, r.history, r.past_runs) for r in report.results} == {(None, (), ())}
    assert report.results == tuple(execution.results.values())


@pytest.mark.parametrize("more", [0, 1])
async def test_the_latest_lines_are_shown_in_their_order(
    world: World, shared_database_url: str, more: int
) -> None:
    execution = await world.begin()
    report = await world.report(execution)
    missing = MAX_LOGS_IN_REPORT - len(report.logs)
    async with await psycopg.AsyncConnection.connect(shared_database_url, autocommit=True) as sql:
        await sql.execute(_ADD_LINES, (execution.id, missing + more))
    first = report.logs[0]
    report = await world.report(execution)
    assert len(report.logs) == MAX_LOGS_IN_REPORT
    assert [line.seq for line in report.logs] == sorted(line.seq for line in report.logs)
    assert report.logs[-1].message == f"Line {missing + more}"
    assert (report.logs[0] == first) is not bool(more)
    assert report.logs_truncated is bool(more)
    assert {line.execution_id for line in report.logs} == {execution.id}


async def test_nobody_else_reads_it(world: World) -> None:
    execution = await world.begin()
    async with world.db.autocommit() as tx:
        with pytest.raises(ExecutionNotFound):
            await tx.reports.report(execution.id, user_id=uuid4())
        with pytest.raises(ExecutionNotFound):
            await tx.reports.report(uuid4(), user_id=execution.user_id)


async def _loaded(db: PostgresDatabase, execution: Execution) -> Execution:
    async with db.autocommit() as tx:
        return await tx.executions.load(execution.id, user_id=execution.user_id)
