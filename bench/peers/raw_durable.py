"""
Plain asyncio that commits every step: the limit of whatever is durable in Python.

One commit at the start, one for each step, one at the end; asyncpg, without the statement that its
pool else sends whenever a connection is given back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from bench.peers.harness import AT_ONCE, IN_A_ROW, Agents, Asked, Candidate, main

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id uuid PRIMARY KEY, status text, input jsonb, at timestamptz DEFAULT now()
);
CREATE TABLE IF NOT EXISTS steps (
    run uuid, n int, output text, at timestamptz DEFAULT now(), PRIMARY KEY (run, n)
)
"""


class RawDurable:
    def __init__(self, agents: Agents, pool: asyncpg.Pool) -> None:
        self._agents, self._pool = agents, pool

    async def sequential(self, ms: float) -> None:
        run, text = await self._begin(), "Go"
        for number in range(IN_A_ROW):
            text = await self._step(run, ms, number, text)
        await self._end(run)

    async def parallel(self, ms: float) -> None:
        run = await self._begin()
        await asyncio.gather(*(self._step(run, ms, n, "Go") for n in range(AT_ONCE)))
        await self._end(run)

    async def _begin(self) -> UUID:
        run = uuid4()
        await self._pool.execute("INSERT INTO runs VALUES ($1, 'running', '{}')", run)
        return run

    async def _step(self, run: UUID, ms: float, number: int, prompt: str) -> str:
        text = await self._agents.run(ms, number, prompt)
        await self._pool.execute("INSERT INTO steps VALUES ($1, $2, $3)", run, number, text)
        return text

    async def _end(self, run: UUID) -> None:
        await self._pool.execute("UPDATE runs SET status = 'completed' WHERE id = $1", run)


async def _keep_as_it_is(_: object) -> None:
    pass


@asynccontextmanager
async def open_raw_durable(asked: Asked) -> AsyncIterator[Candidate]:
    async with (
        Agents(asked.agents_url) as agents,
        asyncpg.create_pool(
            asked.database_url, min_size=10, max_size=10, reset=_keep_as_it_is
        ) as pool,
    ):
        await pool.execute(_TABLES)
        yield RawDurable(agents, pool)


if __name__ == "__main__":
    main(open_raw_durable)
