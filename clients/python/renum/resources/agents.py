"""Suna's agents."""

from collections.abc import AsyncIterator

from renum.models import Agent, AgentPage
from renum.resources.base import LARGEST_PAGE, Resource, pages, part


class Agents(Resource):
    """Suna's agents, which teams are made of."""

    async def list(
        self,
        *,
        page: int = 1,
        limit: int = 10,
        search: str | None = None,
        category: str | None = None,
    ) -> AgentPage:
        """One page of them."""
        params = {"page": page, "limit": limit, "search": search, "category": category}
        return await self._ask(AgentPage, "GET", "agents", params=params)

    async def all(self, *, search: str | None = None) -> AsyncIterator[Agent]:
        """Every agent; one request per 100."""
        async for page in pages(
            lambda number: self.list(page=number, limit=LARGEST_PAGE, search=search)
        ):
            for agent in page.agents:
                yield agent

    async def get(self, agent_id: str) -> Agent:
        """Raises NotFound where Suna has no such agent."""
        return await self._ask(Agent, "GET", f"agents/{part(agent_id)}")
