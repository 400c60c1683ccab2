"""`python -m app.probe`, at real servers and a real worker."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import __version__
from renum_sandbox.testing import running_sandbox
from tests.endpoints.people import until
from tests.ports import a_free_port
from tests.serving import serving, settings_for

PROBE = Path(__file__).parents[2] / "app" / "probe.py"


def probe(*arguments: str) -> "subprocess.CompletedProcess[str]":
    # On its own, with nothing but the standard library, as it may be used anywhere.
    command = [sys.executable, "-I", "-S", str(PROBE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def server(shared_database_url: str) -> Iterator[str]:
    with (
        running_sandbox(speed=0.0) as sandbox,
        serving(settings_for(sandbox, shared_database_url), worker=False) as url,
    ):
        yield url


def test_a_server_that_takes_requests_is_well(server: str) -> None:
    assert probe(server).returncode == 0
    done = probe("--version", __version__, "--wait", "10", "--times", "3", f"{server}/")
    assert done.returncode == 0, done.stderr


def test_another_version_is_not_what_was_deployed(server: str) -> None:
    done = probe("--version", "9.9.9", server)
    assert done.returncode == 1
    assert f"version {__version__} answers, not 9.9.9" in done.stderr


def test_nobody_is_not_well() -> None:
    done = probe("--wait", "0.1", f"http://127.0.0.1:{a_free_port()}")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


def test_a_server_without_its_database_is_not_ready(new_database: Callable[[], str]) -> None:
    url = new_database()
    with running_sandbox(speed=0.0) as sandbox:
        settings = settings_for(sandbox, url.replace("/test", "/gone"))
        with serving(settings, worker=False) as api:
            done = probe(api)
    assert done.returncode == 1
    assert "503" in done.stderr


def test_a_server_that_is_not_renum_is_not_well(tmp_path: Path) -> None:
    port = a_free_port()
    (tmp_path / "health").mkdir()
    (tmp_path / "health" / "ready").write_text("[]")
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    other = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        seen = until(lambda: probe(url).stderr, lambda said: "refused" not in said)
        assert "this is not Renum" in seen
    finally:
        other.terminate()
        other.wait(10)


@pytest.mark.slow
def test_a_worker_shows_that_it_is_well(new_database: Callable[[], str], tmp_path: Path) -> None:
    """Started and asked as its unit of systemd does."""
    port = str(a_free_port())
    env = {
        **{k: v for k, v in os.environ.items() if k in ("PATH", "COVERAGE_PROCESS_CONFIG")},
        "APP_ENV": "production",
        "DATABASE_URL": new_database(),
        "SUNA_API_URL": "https://suna.invalid/api",
        "SUNA_API_KEY": "pk_nobody:sk_nobody",
        "SUPABASE_URL": "https://supabase.invalid",
        "SUPABASE_ANON_KEY": "sb_publishable_nobody",
    }
    renum_api = str(Path(sys.executable).parent / "renum-api")
    command = [renum_api, "worker", "--host", "127.0.0.1", "--port", port]
    worker = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        done = probe("--wait", "45", "--version", __version__, f"http://127.0.0.1:{port}")
        assert done.returncode == 0, done.stderr
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.wait()
