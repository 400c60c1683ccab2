"""Agents as they are answered (specification §5)."""

from uuid import UUID

from pydantic import Field

from app.schemas.base import Answer
from app.schemas.paging import Pagination


class AgentAnswer(Answer):
    id: UUID
    name: str = Field(examples=["Content Creator"])
    description: str = Field(examples=["Creates marketing content"])
    category: str | None = Field(examples=["marketing"])
    capabilities: list[str] = Field(examples=[["text_generation", "image_analysis"]])
    available: bool


class AgentsAnswer(Answer):
    agents: list[AgentAnswer]
    pagination: Pagination
    stale: bool = Field(description="Suna is away, and this is what it last said.")
