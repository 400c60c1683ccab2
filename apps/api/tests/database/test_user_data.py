"""`renum-api users`: all that is stored about one user is handed out, or gone; nothing else is."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from websockets.exceptions import ConnectionClosed

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox
from tests.database.journey import LONG_PROMPT
from tests.endpoints.people import OUTLINE, Json, Person, checked, problem_of, signed_in, until
from tests.live.client import Live, durable, receive
from tests.receiver import Receiver, receiving
from tests.serving import serving, settings_for
from tests.unit.test_cli import run

#: Of nobody: the queue's, whose jobs name executions and end with them, and the schema's own.
OF_NOBODY = {"alembic_version", "event_floor"}
STRANGER = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass(frozen=True)
class Place:
    url: str
    database: str
    sandbox: RunningSandbox
    environment: dict[str, str]

    def rows(self) -> dict[str, list[str]]:
        """Every row of every table, as text; bytes that are text, as that."""
        with psycopg.connect(self.database) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'renum'"
            ).fetchall()
            return {
                name: [
                    row
                    for (row,) in connection.execute(
                        sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier("renum", name))
                    ).fetchall()
                ]
                for (name,) in tables
            }

    def renum_api(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(folder, *arguments, **self.environment)


@pytest.fixture(scope="module")
def place(sandbox: RunningSandbox, new_database: Callable[[], str]) -> Iterator[Place]:
    database = new_database()
    settings = settings_for(sandbox, database, webhooks_allow_private=True)
    environment = {
        "APP_ENV": "development",
        "DATABASE_URL": database,
        "SUNA_API_URL": settings.suna_api_url,
        "SUNA_API_KEY": settings.suna_api_key.get_secret_value(),
        "SUPABASE_URL": settings.supabase_url,
        "SUPABASE_ANON_KEY": settings.supabase_anon_key.get_secret_value(),
    }
    with serving(settings) as url:
        yield Place(url, database, sandbox, environment)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def live_through_everything(
    person: Person, receiver: Receiver, *, seconds: int
) -> tuple[Json, set[str]]:
    """Something in every table; an execution that runs on, and all ids that are this user's."""
    http = person.http
    checked(
        http.post("webhooks", json={"url": receiver.url, "events": ["execution.completed"]}), 201
    )
    checked(http.post("api-keys", json={"name": "machine", "scopes": ["read"]}), 201)
    body = {
        "name": "Once",
        "workflow_type": "sequential",
        "agents": [{"agent_id": OUTLINE, "key": "one"}],
    }
    team = checked(http.post("teams", json=body, headers={"Idempotency-Key": "once"}), 201)
    checked(http.put(f"teams/{team['id']}", json={"description": "second version"}), 200)
    done = person.wait(person.execute(team, LONG_PROMPT)["execution_id"])
    assert done["results"][0]["input_truncated"]
    until(lambda: receiver.got)
    running = person.running(team, seconds)
    person.execute(team)
    me = checked(http.get("auth/me"), 200)
    return running, {me["id"], team["id"], done["execution_id"], running["execution_id"]}


def test_every_table_is_somebodys(place: Place) -> None:
    """A migration that adds a table says whose its rows are: by `user_id`, or by a foreign key."""
    with psycopg.connect(place.database) as connection:
        unowned = connection.execute(
            """
            WITH RECURSIVE owned (oid) AS (
                SELECT attrelid FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
                 WHERE attname = 'user_id' AND relnamespace = 'renum'::regnamespace
                UNION
                SELECT conrelid FROM pg_constraint JOIN owned ON confrelid = owned.oid
                 WHERE contype = 'f'
            )
            SELECT relname FROM pg_class
             WHERE relnamespace = 'renum'::regnamespace AND relkind IN ('r', 'p')
               AND relname NOT LIKE 'procrastinate%' AND oid NOT IN (SELECT oid FROM owned)
            """
        )
        assert {name for (name,) in unowned.fetchall()} == OF_NOBODY


def test_a_user_is_handed_out_and_deleted(place: Place, receiver: Receiver, tmp_path: Path) -> None:
    with (
        signed_in(place.url, constants.ANA_EMAIL) as ana_http,
        signed_in(place.url, constants.BRUNO_EMAIL) as bruno_http,
    ):
        ana, bruno = Person(ana_http), Person(bruno_http)
        running, ids = live_through_everything(ana, receiver, seconds=600)
        theirs, _ = live_through_everything(bruno, receiver, seconds=601)
        user_id = checked(ana_http.get("auth/me"), 200)["id"]

        export = tmp_path / "ana.jsonl"
        handed_out = place.renum_api(tmp_path, "users", "export", user_id, "--out", str(export))
        assert handed_out.returncode == 0, handed_out.stderr
        assert oct(export.stat().st_mode & 0o777) == "0o600"
        lines = [json.loads(line) for line in export.read_text().splitlines()]
        assert lines[0]["user_id"] == user_id
        tables = set(place.rows())
        mine = {t for t in tables - OF_NOBODY if not t.startswith("procrastinate")}
        assert {line["table"] for line in lines[1:-1]} == mine
        assert sum(lines[-1]["end"].values()) == len(lines) - 2
        assert not any({"hash", "secret"} & set(line.get("row", ())) for line in lines)
        texts = [line["row"] for line in lines[1:-1] if line["table"] == "texts"]
        assert any(LONG_PROMPT in text["body"] for text in texts)
        again = place.renum_api(tmp_path, "users", "export", user_id, "--out", str(export))
        assert (again.returncode, "File exists" in again.stderr) == (2, True)

        asked = place.renum_api(tmp_path, "users", "delete", user_id)  # nobody answers
        assert asked.returncode == 1
        assert ana.execution(running["execution_id"])["status"] == "running"

        token = ana_http.headers["Authorization"].removeprefix("Bearer ")
        with Live(place.url, token, ana_http).socket() as socket:
            assert receive(socket)["type"] == "connected"
            gone = place.renum_api(tmp_path, "users", "delete", user_id, "--yes")
            assert gone.returncode == 0, gone.stderr
            assert "deleted all data of user" in gone.stderr
            assert "deleted: " in gone.stdout
            assert "3 executions" in gone.stdout
            assert "Supabase" in gone.stderr
            with pytest.raises(ConnectionClosed) as closed:
                durable(socket, lambda _: False)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "resync_required")

        until(lambda: found(place.rows(), ids), {}.__eq__)  # jobs end by themselves
        assert runs_of(place, seconds=600) == ["stopped"]
        assert runs_of(place, seconds=601) == ["running"]
        problem_of(
            ana_http.get(f"executions/{running['execution_id']}"), 404, "execution_not_found"
        )
        assert bruno.execution(theirs["execution_id"])["status"] == "running"
        bruno.tidy()


def runs_of(place: Place, *, seconds: int) -> list[str]:
    """How the runs at Suna are that take so long."""
    mark = f"[[sleep={seconds}]]"
    return [run["status"] for run in place.sandbox.starts() if mark in run["prompt"]]


def found(rows: dict[str, list[str]], ids: set[str]) -> dict[str, list[str]]:
    """Where any of these is still written."""
    left = {t: [row for row in all_ if any(i in row for i in ids)] for t, all_ in rows.items()}
    return {table: some for table, some in left.items() if some}


def test_nothing_is_stored_about_a_stranger(place: Place, tmp_path: Path) -> None:
    export = tmp_path / "nobody.jsonl"
    for arguments in (("export", STRANGER, "--out", str(export)), ("delete", STRANGER, "--yes")):
        done = place.renum_api(tmp_path, "users", *arguments)
        assert (done.returncode, "nothing is stored" in done.stdout) == (0, True), done.stderr
    refused = place.renum_api(tmp_path, "users", "delete", "ana@renum.example", "--yes")
    assert refused.returncode == 2
