"""Plain asyncio: the limit of whatever runs agents in Python. Keeps nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.peers.harness import AT_ONCE, IN_A_ROW, Agents, Asked, Candidate, main


class Raw:
    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def sequential(self, ms: float) -> None:
        text = "Go"
        for number in range(IN_A_ROW):
            text = await self._agents.run(ms, number, text)

    async def parallel(self, ms: float) -> None:
        await asyncio.gather(*(self._agents.run(ms, n, "Go") for n in range(AT_ONCE)))


@asynccontextmanager
async def open_raw(asked: Asked) -> AsyncIterator[Candidate]:
    async with Agents(asked.agents_url) as agents:
        yield Raw(agents)


if __name__ == "__main__":
    main(open_raw)
