"""DBOS on PostgreSQL, as it comes: every step is committed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dbos import DBOS

from bench.peers.harness import AT_ONCE, IN_A_ROW, Agents, Asked, Candidate, main

_agents: Agents


@DBOS.step()
async def agent(ms: float, number: int, prompt: str) -> str:
    return await _agents.run(ms, number, prompt)


@DBOS.workflow()
async def in_a_row(ms: float) -> None:
    text = "Go"
    for number in range(IN_A_ROW):
        text = await agent(ms, number, text)


@DBOS.workflow()
async def at_once(ms: float) -> None:
    await asyncio.gather(*(agent(ms, number, "Go") for number in range(AT_ONCE)))


class OnDbos:
    async def sequential(self, ms: float) -> None:
        await in_a_row(ms)

    async def parallel(self, ms: float) -> None:
        await at_once(ms)


@asynccontextmanager
async def open_dbos(asked: Asked) -> AsyncIterator[Candidate]:
    global _agents
    url = asked.database_url.replace("postgresql://", "postgresql+psycopg://")
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url,
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )
    DBOS.launch()
    async with Agents(asked.agents_url) as _agents:
        yield OnDbos()
    DBOS.destroy()


if __name__ == "__main__":
    main(open_dbos)
