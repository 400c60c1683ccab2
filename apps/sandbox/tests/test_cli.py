"""The command, as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import jwt
import pytest
import typer
from typer.testing import CliRunner

from renum_sandbox import constants
from renum_sandbox.cli import serve

SECRET = "the legacy secret of a project, which is long enough"
COMMAND = [sys.executable, "-m", "renum_sandbox"]
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "APP_ENV", "JWT_"))}


@contextmanager
def running(*arguments: str, **env: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """The process and its address, once it says that it is ready."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=CLEAN | env,
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("renum-sandbox ready http://127.0.0.1:")
            yield process, line.split()[-1]
        finally:
            process.kill()


@pytest.mark.slow
def test_a_kill_loses_nothing_and_a_signal_ends_cleanly(tmp_path: Path) -> None:
    with httpx2.Client(trust_env=False) as http:
        with running("--data-dir", str(tmp_path), JWT_EXPIRE_MINUTES="0.5") as (process, url):
            headers = {"X-API-Key": constants.SUNA_API_KEY}
            data = {"prompt": "Write about bread [[sleep=60]]"}
            start = http.post(f"{url}/v1/agent/start", data=data, headers=headers).json()
            session = http.post(
                f"{url}/auth/v1/token?grant_type=password",
                json={"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD},
                headers={"apikey": constants.PUBLISHABLE_KEY},
            ).json()
            assert session["expires_in"] == 30
            process.kill()
            process.wait(5)
        again = ["--data-dir", str(tmp_path), "--speed", "0", "--script", "health:503@2"]
        with running(*again, JWT_SECRET_KEY=SECRET) as (process, url_again):
            assert url_again == url
            assert http.get(f"{url}/sandbox/health").json()["speed"] == 0
            statuses = [http.get(f"{url}/v1/health").status_code for _ in range(3)]
            assert statuses == [200, 503, 200]
            claims = {"sub": constants.ANA_ID, "aud": "authenticated", "exp": time.time() + 60}
            minted = {"Authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}
            assert http.get(f"{url}/v1/agents", headers=minted).status_code == 200
            (again,) = http.get(f"{url}/sandbox/starts").json()["starts"]
            assert again["run_id"] == start["agent_run_id"]
            assert again["status"] == "running"
            refreshed = http.post(
                f"{url}/auth/v1/token?grant_type=refresh_token",
                json={"refresh_token": session["refresh_token"]},
                headers={"apikey": constants.PUBLISHABLE_KEY},
            )
            assert refreshed.status_code == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(5) == 0
            assert process.stdout.read() == ""  # the ready line was the only one


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        (["--host", "0.0.0.0"], {}, "loopback addresses only"),  # noqa: S104
        ([], {"APP_ENV": "production"}, "APP_ENV=production"),
        ([], {"JWT_EXPIRE_MINUTES": "tea"}, "JWT_EXPIRE_MINUTES is not a number: 'tea'"),
        (["--script", "429,tea"], {}, "in the script, 'tea': no such fault; possible: 401,"),
        (["--script", "429@2,500@2"], {}, "in the script, 'start:500@2': call 2 of start is taken"),
    ],
)
def test_it_refuses_to_start(arguments: list[str], env: dict, says: str) -> None:
    app = typer.Typer()
    app.command()(serve)
    ended = CliRunner().invoke(app, arguments, env=env)
    assert ended.exit_code == 2
    assert says in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout == ""


@pytest.mark.slow
def test_it_names_its_model_and_ends_with_its_parent() -> None:
    with subprocess.Popen(
        [*COMMAND, "--exit-with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=CLEAN | {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "sk-secret"},
    ) as process:
        assert process.stdout.readline().startswith("renum-sandbox ready ")
        _, said = process.communicate(timeout=5)  # closes standard input first
    assert process.returncode == 0
    assert said == "agents answer with gpt-4o-mini at http://127.0.0.1:9/v1\n"
