"""Teams as they are asked for and answered (specification §3)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from app.domain.teams import (
    KEY_PATTERN,
    AgentConfig,
    AgentDetails,
    AgentDraft,
    Role,
    TeamStatus,
    WorkflowType,
)
from app.schemas.base import Answer, Request
from app.schemas.paging import Pagination

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    Field(examples=["Marketing Team"]),
]
Description = Annotated[str, StringConstraints(max_length=2_000)]


class TeamAgentRequest(Request):
    """A place in a team."""

    agent_id: UUID = Field(
        description="The agent's id at Suna; the same one may stand twice.",
        examples=["5a4d0001-0000-4000-8000-000000000001"],
    )
    role: Role = Role.MEMBER
    order: int | None = Field(
        None, ge=0, le=10_000, strict=True, description="Default: the place in the list."
    )
    key: str | None = Field(
        None,
        pattern=KEY_PATTERN,
        max_length=64,
        description="Names this place in results, events and settings. Default: `agent_{order}`.",
    )
    config: AgentConfig = AgentConfig()

    def draft(self) -> AgentDraft:
        """As the use cases take it."""
        return AgentDraft(
            agent_id=self.agent_id,
            role=self.role,
            order=self.order,
            key=self.key,
            config=self.config,
        )


Agents = Annotated[list[TeamAgentRequest], Field(min_length=1, max_length=50)]


class CreateTeam(Request):
    name: Name
    description: Description | None = None
    workflow_type: WorkflowType
    agents: Agents


class UpdateTeam(Request):
    """Any subset; `agents` replaces the whole list, `description: null` clears it."""

    name: Name | None = None
    description: Description | None = None
    workflow_type: WorkflowType | None = None
    status: TeamStatus | None = None
    agents: Agents | None = None


class TeamAgentAnswer(Answer):
    id: UUID
    agent_id: UUID
    key: str
    role: Role
    order: int
    config: AgentConfig
    agent_details: AgentDetails


class TeamSummaryAnswer(Answer):
    id: UUID
    name: str
    description: str | None
    workflow_type: WorkflowType
    created_at: datetime
    updated_at: datetime
    agents_count: int
    status: TeamStatus
    version: int


class TeamAnswer(TeamSummaryAnswer):
    agents: list[TeamAgentAnswer]


class TeamVersionAnswer(Answer):
    """A team as it was from one change to the next."""

    version: int
    name: str
    description: str | None
    workflow_type: WorkflowType
    status: TeamStatus
    agents: list[TeamAgentAnswer]
    created_at: datetime


class TeamVersionsAnswer(Answer):
    versions: list[TeamVersionAnswer]
    pagination: Pagination


class TeamsAnswer(Answer):
    teams: list[TeamSummaryAnswer]
    pagination: Pagination
