"""Whole processes over real sockets: a server is killed in the middle of a run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect

pytestmark = pytest.mark.slow

RENUM_API = Path(sys.executable).with_name("renum-api")
LIMIT_S = 60


class Server:
    """`renum-api dev` as a process."""

    def __init__(self, data_dir: Path, log: Path) -> None:
        environment = {**os.environ, "APP_ENV": "development"}
        for name in ("DATABASE_URL", "SUNA_API_URL", "SUPABASE_URL"):
            environment.pop(name, None)
        self._log = log.open("a")
        self.process = subprocess.Popen(
            [RENUM_API, "dev", "--port", "0", "--data-dir", data_dir],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
            cwd=data_dir.parent,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("renum-api ready "), log.read_text()
        self.url = line.split()[-1]

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()


@contextmanager
def serving(data_dir: Path) -> Iterator[Server]:
    server = Server(data_dir, data_dir.parent / "log")
    try:
        yield server
    finally:
        if server.process.returncode is None:
            server.end(signal.SIGTERM)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Not below `tmp_path`: pytest closes that to everybody else, also to PostgreSQL's user.
    parent = Path(tempfile.mkdtemp(prefix="renum-e2e-"))
    folder = parent / "data"
    folder.mkdir()
    yield folder
    subprocess.run([RENUM_API, "stop", "--data-dir", folder], check=True, capture_output=True)
    shutil.rmtree(parent)


@contextmanager
def signed_in(server: Server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{server.url}/api/v1", timeout=10) as client:
        who = {"email": "ana@renum.example", "password": "renum-demo"}
        tokens = client.post("/auth/login", json=who).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield client


def until(condition: Any, what: str) -> Any:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


def starts(data_dir: Path) -> list[dict[str, Any]]:
    """What the sandbox was asked to start, over all its lives."""
    port = (data_dir / "sandbox" / "port").read_text()
    found: list[dict[str, Any]] = httpx2.get(f"http://127.0.0.1:{port}/sandbox/starts").json()[
        "starts"
    ]
    return found


def test_a_killed_server_continues_and_its_events_are_replayed(data_dir: Path) -> None:
    with serving(data_dir) as server, signed_in(server) as client:
        agents = {a["name"]: a["id"] for a in client.get("/agents").json()["agents"]}
        names = ["Content Strategist", "Copywriter", "Editor"]
        team = client.post(
            "/teams",
            json={
                "name": "Marketing Team",
                "workflow_type": "sequential",
                "agents": [{"agent_id": agents[name]} for name in names],
            },
        ).json()
        execution = client.post(
            f"/teams/{team['id']}/execute",
            json={"input_data": {"prompt": "Sell oat milk [[sleep=2]]"}},
        ).json()
        path = f"/executions/{execution['execution_id']}"
        until(
            lambda: client.get(path).json()["results"][1]["status"] == "running",
            "the second agent runs",
        )
        token = client.headers["Authorization"]
        server.end(signal.SIGKILL)

    with serving(data_dir) as server:
        client = httpx2.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": token})
        with client:
            ended = until(
                lambda: (e := client.get(path).json())["status"] != "running" and e, "it ends"
            )
        assert ended["status"] == "completed", ended
        assert [r["attempts"] for r in ended["results"]] == [1, 1, 1]

        # A watcher that was away all the time gets every event once and in order.
        url = server.url.replace("http", "ws") + "/api/v1/ws?last_event_id=0"
        with connect(url, additional_headers={"Authorization": token}) as socket:
            connected = json.loads(socket.recv(10))
            assert connected["type"] == "connected"
            events: list[dict[str, Any]] = []
            while not events or events[-1]["type"] != "new_notification":
                events.append(json.loads(socket.recv(10)))
            events.append(json.loads(socket.recv(10)))
        assert [e["id"] for e in events] == list(range(1, len(events) + 1))
        seqs = [e["data"]["seq"] for e in events if "seq" in e["data"]]
        assert seqs == list(range(1, len(seqs) + 1))
        completed = [e["data"]["key"] for e in events if e["type"] == "agent_completed"]
        assert completed == ["agent_1", "agent_2", "agent_3"]
        assert events[-1]["data"]["status"] == "completed"
        assert events[-1]["data"]["progress"] == ended["progress"]
        assert len(starts(data_dir)) == 3
