"""Runs candidates in turn, each in a fresh process, on one PostgreSQL and one agent service."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from app.infra.db.embedded import embedded_postgres
from bench.peers.environments import python_of
from bench.stack import Process, free_port, wait_for

_LIMIT_S = 180


@dataclass(frozen=True)
class Candidate:
    """A module of this package; without an *environment* it runs in ours."""

    name: str
    module: str
    environment: str | None = None


RAW = Candidate("raw", "raw", "raw")
RAW_DURABLE = Candidate("raw, durable", "raw_durable", "raw")
RENUM = Candidate("Renum", "renum")
QUEUED = Candidate("Renum, queued", "renum_queued")
LANGGRAPH = Candidate("LangGraph", "on_langgraph", "langgraph")
DBOS = Candidate("DBOS", "on_dbos", "dbos")
PREFECT = Candidate("Prefect", "on_prefect", "prefect")
ALL = (RAW, RAW_DURABLE, RENUM, QUEUED, LANGGRAPH, DBOS, PREFECT)


class Bench:
    """What all candidates share, while the block lasts."""

    def __init__(self, database_url: str, agents_url: str) -> None:
        self._admin_url, self._agents_url = database_url, agents_url
        self._databases: set[str] = set()

    def measure(self, candidate: Candidate, measure: str, **options: float) -> dict[str, float]:
        """Figures by name. Raises CalledProcessError, TimeoutExpired."""
        python = python_of(candidate.environment) if candidate.environment else sys.executable
        command = [python, "-m", f"bench.peers.{candidate.module}", measure]
        command += ["--agents", self._agents_url, "--database", self._database(candidate)]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        # In an image modules are compiled; here by whoever is measured first, as that takes memory.
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        done = subprocess.run(
            command, env=env, stdout=subprocess.PIPE, text=True, timeout=_LIMIT_S, check=True
        )
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    def _database(self, candidate: Candidate) -> str:
        """Its own, kept from one measurement to the next."""
        name = f"of_{candidate.module}"
        if name not in self._databases:
            with psycopg.connect(self._admin_url, autocommit=True) as db:
                db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            self._databases.add(name)
        return self._admin_url.replace("/renum?", f"/{name}?")


@contextmanager
def shared_services() -> Iterator[Bench]:
    folder = Path(tempfile.gettempdir()) / f"renum-bench-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o755)
    try:
        with embedded_postgres(folder / "postgres") as url, agent_service(folder) as agents_url:
            yield Bench(url, agents_url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def agent_service(folder: Path) -> Iterator[str]:
    port = free_port()
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--lifespan", "off"]
    # With many at a time, a connection may be idle for longer than uvicorn keeps one by itself, and
    # is closed at the moment when its client uses it again.
    options += ["--timeout-keep-alive", "120"]
    command = [sys.executable, "-m", "uvicorn", "bench.agents:app", "--port", str(port), *options]
    env = {"PYTHONPATH": str(Path.cwd())}
    service = Process("agents", [*command, "--log-level", "warning"], env, folder)
    try:
        wait_for(f"http://127.0.0.1:{port}/agents")
        yield f"http://127.0.0.1:{port}"
    finally:
        service.end()


def chosen(names: Sequence[str]) -> list[Candidate]:
    return [c for c in ALL if not names or c.module in names]
