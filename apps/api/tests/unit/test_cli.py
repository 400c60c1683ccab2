"""`renum-api` as a process: what it prints, how it starts and how it ends."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from app import __version__
from app.core.settings import Settings
from app.main import create_app

COMMAND = Path(sys.executable).with_name("renum-api")
LIMIT_S = 60


def environment(folder: Path, **values: str) -> dict[str, str]:
    """Nothing of this machine's settings; no `.env` either, for it starts in *folder*."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"DATA_DIR": str(folder / "data"), "LOG_FORMAT": "json"} | values


def run(folder: Path, *arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(folder, **values),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@contextmanager
def started(
    folder: Path, *arguments: str, stderr: Any = subprocess.PIPE, **values: str
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [COMMAND, *arguments],
        env=environment(folder, **values),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("renum-api ready http://127.0.0.1:"), line
    return line.split()[-1]


def ended_by(process: subprocess.Popen[str], number: int) -> tuple[str, str]:
    """End it with a signal; what else it printed. Must end cleanly, and within ten seconds."""
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert time.monotonic() - began < 10
    assert "Traceback" not in (err or "")
    return out, err


# ---- without a server ---------------------------------------------------------------------------


def test_the_version_is_the_packages() -> None:
    assert version("renum-api") == __version__


def test_openapi_prints_the_same_document_everywhere(folder: Path) -> None:
    printed = run(folder, "openapi", API_PREFIX="/elsewhere", APP_ENV="nonsense")
    assert (printed.returncode, printed.stderr) == (0, "")
    document = create_app(Settings.model_construct(), worker=False).openapi()
    # Also in the same order, in which people read it.
    assert printed.stdout == json.dumps(document, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_production_lists_what_is_missing(folder: Path, command: str) -> None:
    refused = run(folder, command)
    assert (refused.returncode, refused.stdout) == (2, "")
    lines = refused.stderr.splitlines()
    assert lines[0] == "renum-api cannot start:"
    assert [line.split()[1] for line in lines[1:]] == [
        "DATABASE_URL",
        "SUNA_API_URL",
        "SUNA_API_KEY",
        "SUPABASE_URL",
        "SUPABASE_ANON_KEY",
    ]


def test_bad_values_are_a_list_too(folder: Path) -> None:
    refused = run(folder, "serve", DATABASE_POOL_SIZE="0", LOG_LEVEL="loud")
    assert refused.returncode == 2
    assert [line.split()[1] for line in refused.stderr.splitlines()[1:]] == [
        "LOG_LEVEL:",
        "DATABASE_POOL_SIZE:",
    ]


def test_a_taken_port_is_told_before_anything_is_started(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = run(folder, "dev", "--port", port, "--data-dir", str(folder / "data"))
    assert refused.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert not (folder / "data").exists()


def test_migrate_without_a_database(folder: Path) -> None:
    refused = run(folder, "migrate")
    assert (refused.returncode, "DATABASE_URL is missing" in refused.stderr) == (2, True)


def test_migrate_grants_to_a_role_that_exists(
    folder: Path, new_database: Callable[[], str]
) -> None:
    url, role = new_database(), f"app_{os.urandom(4).hex()}"
    refused = run(folder, "migrate", "--grant-to", role, DATABASE_URL=url)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"--grant-to: there is no role '{role}'" in refused.stderr
    assert "Traceback" not in refused.stderr

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role}")
        granted = run(folder, "migrate", "--grant-to", role, DATABASE_URL=url)
        assert (granted.returncode, granted.stderr) == (0, "")
        connection.execute(f"SET ROLE {role}")
        connection.execute("DELETE FROM renum.teams")
        connection.execute("RESET ROLE")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


def test_stop_with_nothing_to_stop(folder: Path) -> None:
    stopped = run(folder, "stop", "--data-dir", str(folder / "data"))
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "", "")


# ---- with a server ------------------------------------------------------------------------------


@pytest.mark.slow
def test_dev_serves_everything_and_leaves_nothing_running(folder: Path) -> None:
    with started(folder, "dev", "--port", "0", "--data-dir", "data") as process:
        url = url_of(process)
        with httpx2.Client(base_url=url) as client:
            body = {"email": "ana@renum.example", "password": "renum-demo"}
            assert client.post("/api/v1/auth/login", json=body).status_code == 200
            until_all_is_well(client)
            assert "swagger" in client.get("/docs").text
            in_use = run(folder, "stop", "--data-dir", "data")
            assert (in_use.returncode, "is in use" in in_use.stderr) == (2, True)
        out, err = ended_by(process, signal.SIGTERM)
    assert out == ""  # one line is all that it prints there
    assert "renum-demo" not in err
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert "request" in events
    assert not (folder / "data" / "postgres" / "data" / "postmaster.pid").exists()


@pytest.mark.slow
def test_serving_and_working_apart(folder: Path) -> None:
    with started(folder, "serve", "--port", "0", "--no-worker", APP_ENV="development") as server:
        url = url_of(server)
        with httpx2.Client(base_url=url) as client:
            health = client.get("/health/services").json()
            assert (health["status"], health["services"]["queue"]["workers"]) == ("degraded", 0)
            with started(folder, "worker", APP_ENV="development") as worker:
                until_all_is_well(client)
                ended_by(worker, signal.SIGTERM)
        ended_by(server, signal.SIGINT)


@pytest.mark.slow
def test_a_killed_server_leaves_a_database_that_stop_stops(folder: Path) -> None:
    with started(folder, "dev", "--port", "0", "--data-dir", "data") as process:
        url_of(process)
        process.kill()
        process.wait()
    stopped = run(folder, "stop", "--data-dir", "data")
    assert (stopped.returncode, stopped.stderr) == (0, "stopped the development database\n")


@pytest.mark.slow
def test_migrate_brings_a_database_up_and_may_be_repeated(folder: Path) -> None:
    for _ in range(2):
        migrated = run(folder, "migrate", APP_ENV="development")
        assert (migrated.returncode, migrated.stdout) == (0, ""), migrated.stderr


@pytest.mark.slow
def test_a_person_is_greeted(folder: Path) -> None:
    ours, theirs = pty.openpty()
    with started(folder, "dev", "--port", "0", "--data-dir", "data", stderr=theirs) as process:
        os.close(theirs)
        url = url_of(process)
        shown = os.read(ours, 65_536).decode()
        while "Ctrl-C" not in shown:
            shown += os.read(ours, 65_536).decode()
        assert f"{url}/docs" in shown
        assert "ana@renum.example" in shown
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT_S)
        assert process.returncode == 0
    os.close(ours)


def until_all_is_well(client: httpx2.Client) -> None:
    give_up_at = time.monotonic() + 20
    while (health := client.get("/health/services").json())["status"] != "ok":
        assert time.monotonic() < give_up_at, health
        time.sleep(0.05)
