"""Prefect with a server of its own on PostgreSQL: it stores states of runs, not their results."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.peers.harness import AT_ONCE, IN_A_ROW, Agents, Asked, Candidate, main

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    _PORT = str(probe.getsockname()[1])
_URL = f"http://127.0.0.1:{_PORT}/api"
os.environ |= {
    "PREFECT_API_URL": _URL,
    "PREFECT_HOME": tempfile.mkdtemp(prefix="renum-bench-prefect-"),
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
from prefect import flow, task  # noqa: E402  reads the settings above

_agents: Agents


@task
async def agent(ms: float, number: int, prompt: str) -> str:
    return await _agents.run(ms, number, prompt)


@flow
async def in_a_row(ms: float) -> str:
    text = "Go"
    for number in range(IN_A_ROW):
        text = await agent(ms, number, text)
    return text


@flow
async def at_once(ms: float) -> int:
    return len(await asyncio.gather(*(agent(ms, number, "Go") for number in range(AT_ONCE))))


class OnPrefect:
    async def sequential(self, ms: float) -> None:
        await in_a_row(ms)

    async def parallel(self, ms: float) -> None:
        await at_once(ms)


@asynccontextmanager
async def open_prefect(asked: Asked) -> AsyncIterator[Candidate]:
    global _agents
    url = asked.database_url.replace("postgresql://", "postgresql+asyncpg://")
    env = {**os.environ, "PREFECT_API_DATABASE_CONNECTION_URL": url}
    command = [str(Path(sys.executable).with_name("prefect")), "server", "start", "--no-ui"]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", _PORT],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # it complains at length of being stopped
    )
    try:
        await _until_it_answers(server)
        async with Agents(asked.agents_url) as _agents:
            yield OnPrefect()
    finally:
        server.terminate()
        server.wait()


async def _until_it_answers(server: subprocess.Popen[bytes]) -> None:
    async with aiohttp.ClientSession() as session:
        while server.poll() is None:
            try:
                async with session.get(f"{_URL}/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
    raise RuntimeError("Prefect's server has ended")


if __name__ == "__main__":
    main(open_prefect)
