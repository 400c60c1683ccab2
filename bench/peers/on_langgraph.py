"""LangGraph with its checkpointer for PostgreSQL; `durability="sync"`: every step is committed."""

import operator
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict
from uuid import uuid4

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bench.peers.harness import AT_ONCE, IN_A_ROW, Agents, Asked, Candidate, main


class State(TypedDict):
    ms: float
    outputs: Annotated[list[str], operator.add]


class OnLangGraph:
    def __init__(self, agents: Agents, saver: AsyncPostgresSaver) -> None:
        def node(number: int) -> Any:
            async def run(state: State) -> dict[str, list[str]]:
                prompt = (state["outputs"] or ["Go"])[-1]
                return {"outputs": [await agents.run(state["ms"], number, prompt)]}

            return run

        in_a_row, at_once = StateGraph(State), StateGraph(State)
        for number in range(IN_A_ROW):
            in_a_row.add_node(str(number), node(number))
            in_a_row.add_edge(str(number - 1) if number else START, str(number))
        in_a_row.add_edge(str(IN_A_ROW - 1), END)
        for number in range(AT_ONCE):
            at_once.add_node(str(number), node(number))
            at_once.add_edge(START, str(number))
            at_once.add_edge(str(number), END)
        self._in_a_row = in_a_row.compile(checkpointer=saver)
        self._at_once = at_once.compile(checkpointer=saver)

    async def sequential(self, ms: float) -> None:
        await self._run(self._in_a_row, ms)

    async def parallel(self, ms: float) -> None:
        await self._run(self._at_once, ms)

    async def _run(self, graph: Any, ms: float) -> None:
        config = {"configurable": {"thread_id": str(uuid4())}}
        await graph.ainvoke({"ms": ms, "outputs": []}, config, durability="sync")


@asynccontextmanager
async def open_langgraph(asked: Asked) -> AsyncIterator[Candidate]:
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with (
        Agents(asked.agents_url) as agents,
        AsyncConnectionPool(
            asked.database_url, min_size=10, max_size=10, timeout=120, kwargs=options, open=False
        ) as pool,
    ):
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        yield OnLangGraph(agents, saver)


if __name__ == "__main__":
    main(open_langgraph)
