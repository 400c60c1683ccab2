"""The two servers, and how events are published to each."""

import asyncio
import json
import os
import sys
from uuid import UUID

import psutil

from app.core.security import Rules, minter
from bench.stack import Process, Stack, free_port, wait_for


class Bare:
    """Starlette alone; every event goes to every socket."""

    name = "bare"
    path = "/ws"

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.port = free_port()
        self._process: Process | None = None
        self.publisher_env = {"BARE_URL": f"http://127.0.0.1:{self.port}"}

    def restart(self) -> None:
        self.stop()
        command = [sys.executable, "-m", "bench.live.bare", str(self.port)]
        self._process = self._stack.process("bare", command)
        wait_for(f"http://127.0.0.1:{self.port}/health")

    def stop(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def token(self, _: UUID) -> str:
        return ""


class Ours:
    """`renum-api serve`; an event goes to the sockets of its user."""

    name = "Renum"
    path = "/api/v1/ws"

    def __init__(self, stack: Stack, secret: str) -> None:
        self._stack = stack
        self.port = int(stack.api_urls[0].rpartition(":")[2])
        self.publisher_env = {"DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis_url}
        self.token = minter(secret, Rules(f"{stack.sandbox_url}/auth/v1", "authenticated"))

    def restart(self) -> None:
        self._stack.apis[0].restart()
        wait_for(f"http://127.0.0.1:{self.port}/health")

    def stop(self) -> None:
        """It is restarted for the next scenario, and ends with its stack."""

    @property
    def pid(self) -> int:
        return self._stack.apis[0].pid


Server = Bare | Ours


class Usage:
    """Memory and CPU time of a server."""

    def __init__(self, server: Server) -> None:
        self._process = psutil.Process(server.pid)

    @property
    def rss(self) -> int:
        return self._process.memory_info().rss

    @property
    def cpu_s(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


class Publisher:
    """Publishes in a process of its own, while the block lasts."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __aenter__(self) -> "Publisher":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.live.publish",
            env={**os.environ, **self._server.publisher_env},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        await self._answer("ready")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._input.close()
        await self._process.wait()

    def begin(self, users: list[UUID], *, count: int, per_s: float, padding: int = 0) -> None:
        """So many events, for the users in turn."""
        command = {
            "users": [str(u) for u in users],
            "count": count,
            "per_s": per_s,
            "padding": padding,
        }
        self._input.write(json.dumps(command).encode() + b"\n")

    async def done(self) -> None:
        """Returns when all that was begun is published."""
        await self._answer("done")

    @property
    def _input(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None
        return self._process.stdin

    async def _answer(self, wanted: str) -> None:
        assert self._process.stdout is not None
        answer = await self._process.stdout.readline()
        if answer.decode().strip() != wanted:
            raise RuntimeError(f"the publisher said {answer!r}")
