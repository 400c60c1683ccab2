"""Agents of Suna (specification §5)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from app.api.deps import Call, PageQuery
from app.api.errors import problem
from app.api.section import Section
from app.common.text import fold
from app.domain.agents import Agent, AgentNotFound, SunaRefused, SunaUnavailable
from app.schemas.agents import AgentAnswer, AgentsAnswer
from app.schemas.base import Text
from app.schemas.paging import Pagination

router = Section(prefix="/agents", tags=["Agents"])


@router.get("", response_model=AgentsAnswer, responses=problem(SunaRefused, SunaUnavailable))
async def list_agents(
    call: Call,
    page: PageQuery,
    search: Annotated[Text | None, Query(max_length=200)] = None,
    category: Annotated[Text | None, Query(max_length=200)] = None,
) -> dict[str, object]:
    """List the agents that teams can be made of, by name."""
    listing = await call.agents.list()
    wanted = fold(search or "")
    found = [
        a
        for a in listing.agents
        if category in (None, a.category)
        and (not wanted or wanted in fold(f"{a.name}\n{a.description}"))
    ]
    return {
        "agents": found[page.offset : page.offset + page.limit],
        "pagination": Pagination.of(page, len(found)),
        "stale": listing.stale,
    }


@router.get(
    "/{agent_id}",
    response_model=AgentAnswer,
    responses=problem(AgentNotFound, SunaRefused, SunaUnavailable),
)
async def get_agent(agent_id: UUID, call: Call) -> Agent:
    """Get one agent."""
    return await call.agents.get(agent_id)
