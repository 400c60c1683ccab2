"""Migrations: up and down with data in the tables, and under servers that go on working."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from app.domain.events import TeamUpdated
from app.domain.reports import ExecutionReport
from app.infra.db import migrations
from app.infra.db.database import PostgresDatabase, create_pool
from renum_sandbox.testing import RunningSandbox
from tests.builders import a_team, an_agent
from tests.database.journey import take_the_journey_at
from tests.database.migrating import dangers
from tests.fake_runtime import FakeRuntime
from tests.world import Heard, World

ROOT = Path(__file__).parents[4]
REVISIONS = [
    script.revision
    for script in reversed(list(ScriptDirectory.from_config(migrations._config()).walk_revisions()))
]
#: From before the first release: no server ran on the schema before them.
BEFORE_RELEASE = {
    "0002": {
        "builds index executions_repaired while nobody can write to executions",
        "builds index agent_results_to_stop while nobody can write to agent_results",
        "locks agent_results and executions in one transaction",
    },
    "0003": {
        "builds index agent_results_at_suna while nobody can write to agent_results",
        "builds index agent_results_run while nobody can write to agent_results",
        "locks agent_results and event_heads and executions in one transaction",
    },
    "0009": {"locks executions and teams in one transaction"},
    "0006": {"builds index events_created_at while nobody can write to events"},
}


def test_every_migration_has_one_before_it() -> None:
    assert [f"{n:04}" for n in range(1, len(REVISIONS) + 1)] == REVISIONS


@pytest.mark.parametrize(("before", "revision"), list(pairwise(REVISIONS)))
def test_servers_go_on_while_it_is_applied(
    new_database: Callable[[], str], before: str, revision: str
) -> None:
    url = new_database()
    migrations.downgrade(url, before)
    found = dangers(url, lambda: migrations.upgrade(url, revision))
    assert found == BEFORE_RELEASE.get(revision, set())


@pytest.mark.parametrize(
    ("statement", "danger"),
    [
        ("CREATE INDEX bad ON renum.teams (name)", "builds index bad while"),
        ("ALTER TABLE renum.teams ADD UNIQUE (name)", "builds index teams_name_key while"),
        ("ALTER TABLE renum.teams ADD CHECK (name <> '')", "checks constraint teams_name_check"),
        (
            "ALTER TABLE renum.events ADD FOREIGN KEY (execution_id) REFERENCES renum.executions",
            "checks constraint events_execution_id_fkey",
        ),
        ("ALTER TABLE renum.teams ADD at timestamptz DEFAULT clock_timestamp()", "rewrites table"),
        ("ALTER TABLE renum.teams ALTER version TYPE bigint", "changes the type of teams.version"),
        ("ALTER TABLE renum.teams ALTER description SET NOT NULL", "makes teams.description NOT"),
        ("ALTER TABLE renum.teams ADD owner text NOT NULL", "adds teams.owner, which old code"),
        ("ALTER TABLE renum.teams DROP description", "drops column teams.description"),
        ("ALTER TABLE renum.teams RENAME description TO about", "drops column teams.description"),
        ("DROP TABLE renum.notifications", "drops table notifications"),
        ("DROP FUNCTION renum.fenced()", "drops function renum.fenced()"),
        (
            "ALTER TABLE renum.teams ADD a int; ALTER TABLE renum.events ADD a int",
            "locks events and teams in one transaction",
        ),
    ],
)
def test_what_would_hold_servers_up_is_seen(
    new_database: Callable[[], str], statement: str, danger: str
) -> None:
    url = new_database()
    found = dangers(url, lambda: execute(url, statement))
    assert any(one.startswith(danger) for one in found), found


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE renum.teams ADD colour text, ADD size int NOT NULL DEFAULT 0",
        "ALTER TABLE renum.teams ADD CHECK (name <> '') NOT VALID",
        "CREATE TABLE renum.later (id int PRIMARY KEY, name text NOT NULL)",
    ],
)
def test_what_holds_nobody_up_is_fine(new_database: Callable[[], str], statement: str) -> None:
    url = new_database()
    assert dangers(url, lambda: execute(url, statement)) == set()


@pytest.mark.parametrize("revision", REVISIONS[1:-1])
def test_data_survives_the_way_down_and_up_again(
    new_database: Callable[[], str], revision: str
) -> None:
    url = new_database()
    user_id, before = asyncio.run(an_execution_and_more(url))
    counts = rows(url)
    migrations.downgrade(url, revision)
    kept = rows(url)
    assert {table: counts[table] for table in kept} == kept
    migrations.upgrade(url)
    again = rows(url)
    assert {table: again[table] for table in kept} == kept
    after = asyncio.run(report_of(url, before.id, user_id))
    assert after.prompt == before.prompt
    assert [r.output for r in after.results] == [r.output for r in before.results]
    assert after.logs == before.logs
    assert after.status == before.status


def test_a_table_in_use_is_waited_for_a_little_at_a_time(
    new_database: Callable[[], str],
) -> None:
    """Readers who come later get through between two tries; and it is applied in the end."""
    url = new_database()
    migrations.downgrade(url, "0004")
    with psycopg.connect(url) as busy, psycopg.connect(url, autocommit=True) as reader:
        busy.execute("SELECT FROM renum.agent_results")
        script = "import sys; from app.infra.db import migrations as m; m.LOCK_LIMIT_S = 0.2; "
        script += "m._LET_OTHERS_S = 0.2; m.upgrade(sys.argv[1], '0005')"
        with subprocess.Popen([sys.executable, "-c", script, url], stderr=subprocess.PIPE) as other:
            wait_until(reader, "EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            reader.execute("SET statement_timeout = '10s'")
            reader.execute("SELECT FROM renum.agent_results")
            wait_until(reader, "NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            busy.rollback()
            assert other.wait(30) == 0
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM renum.alembic_version").fetchone() == (
            "0005",
        )


def test_it_gives_up_when_a_table_is_in_use_for_good(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_LIMIT_S", 0.05)
    monkeypatch.setattr(migrations, "_LET_OTHERS_S", 0.0)
    url = new_database()
    migrations.downgrade(url, "0004")
    with psycopg.connect(url) as busy:
        busy.execute("SELECT FROM renum.agent_results")
        with pytest.raises(migrations.TableInUse, match="long transaction"):
            migrations.upgrade(url, "0005")
    migrations.upgrade(url)


@pytest.mark.slow
def test_the_code_before_works_on_the_schema_after(
    new_database: Callable[[], str], sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """The last code that did not know the newest migration, as git has it, serves on top of it."""
    newest = next((ROOT / "apps/api/alembic/versions").glob(f"{migrations.head()}_*.py"))
    # Along the main line, where a migration may have come with a merge.
    line = ["--first-parent", "-m", "--diff-filter=A", "--format=%H", "-1"]
    introduced = git("log", *line, "--", str(newest))
    if not introduced or not git("rev-parse", "--verify", "--quiet", f"{introduced}^"):
        pytest.skip("the history is not here, or the newest migration is not committed")
    archive = tmp_path / "old.tar"
    git("archive", "-o", str(archive), f"{introduced}^", "apps/api/app")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={
            "PYTHONPATH": str(tmp_path / "apps/api"),
            "APP_ENV": "development",
            "DATABASE_URL": new_database(),
            "SUNA_API_URL": f"{sandbox.url}/v1",
            "SUNA_API_KEY": sandbox.suna_api_key,
            "SUNA_MAX_PARALLEL_RUNS": "0",
            "SUPABASE_URL": sandbox.url,
            "SUPABASE_ANON_KEY": sandbox.publishable_key,
        },
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == str(tmp_path / "apps/api/app/server.py")
            take_the_journey_at(process.stdout.readline().split()[-1])
        finally:
            process.terminate()


_SERVE = """
from app import server
from app.core.settings import Settings
print(server.__file__, flush=True)
server.serve(Settings.load(), server.listen("127.0.0.1", 0), worker=True)
"""


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def execute(url: str, statement: str) -> None:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool
    )
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def wait_until(connection: psycopg.Connection, condition: str) -> None:
    connection.execute(
        f"""
        DO $$ BEGIN
            FOR n IN 1..2000 LOOP
                IF {condition} THEN RETURN; END IF;
                PERFORM pg_sleep(0.01);
            END LOOP;
            RAISE 'it never came to that';
        END $$
        """.encode()
    )


def rows(url: str) -> dict[str, int]:
    """How many each table has; without the schema's own."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            """
            SELECT tablename FROM pg_tables
             WHERE schemaname = 'renum' AND tablename NOT IN ('alembic_version', 'event_floor')
            """
        ).fetchall()
        counts = {}
        for (name,) in tables:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("renum", name))
            row = connection.execute(query).fetchone()
            counts[name] = row[0] if row else 0
        return counts


async def an_execution_and_more(url: str) -> tuple[UUID, ExecutionReport]:
    async with create_pool(url, size=3) as pool:
        db = PostgresDatabase(pool)
        world = World(db, FakeRuntime(), Heard())
        team = a_team(an_agent("a", 1), an_agent("b", 2))
        async with db.transaction() as tx:
            await tx.teams.add(team)
            event = TeamUpdated(team_id=team.id, action="created", name=team.name, version=1)
            await tx.events.append(team.user_id, [event])
        report = await world.run(team, prompt="x" * 300_000)
        await world.begin(team)
        return team.user_id, report


async def report_of(url: str, execution_id: UUID, user_id: UUID) -> ExecutionReport:
    async with create_pool(url, size=1) as pool, PostgresDatabase(pool).autocommit() as tx:
        return await tx.reports.report(execution_id, user_id=user_id)
