"""A team: agents of Suna, and how they work together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from annotated_types import Interval, Len

from app.domain.conditions import Condition
from app.domain.errors import Conflict, Invalid, NotFound, OutOfDate, Problem
from app.domain.strict import Strict
from app.domain.templates import MAX_TEMPLATE

KEY_PATTERN = r"^[a-z0-9][a-z0-9_-]*$"


class WorkflowType(StrEnum):
    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    PIPELINE = "pipeline"
    CONDITIONAL = "conditional"


class TeamStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class Role(StrEnum):
    LEADER = "leader"
    #: In a parallel team it runs after all others and joins their results.
    COORDINATOR = "coordinator"
    MEMBER = "member"


class InputSource(StrEnum):
    """What an agent is given."""

    INITIAL_PROMPT = "initial_prompt"
    PREVIOUS_OUTPUT = "previous_output"
    AGENT_RESULT = "agent_result"
    COMBINED = "combined"


class OnFailure(StrEnum):
    """What the failure of an agent means for the others and for the execution."""

    STOP = "stop"
    CONTINUE = "continue"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """How one agent takes part; None means the default of the workflow (api.md §3)."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by Pydantic, never written

    input_source: InputSource | None = None
    source_agents: Annotated[tuple[str, ...], Len(0, 50)] = ()
    depends_on: Annotated[tuple[str, ...], Len(0, 50)] = ()
    conditions: Annotated[tuple[Condition, ...], Len(0, 20)] = ()
    #: Jinja2 text that makes the whole input, instead of `input_source`.
    input_template: Annotated[str, Len(1, MAX_TEMPLATE)] | None = None
    on_failure: OnFailure | None = None
    timeout_minutes: Annotated[int, Interval(ge=1, le=1440), Strict()] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDetails:
    """What the agent was called when the team was saved."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamAgent:
    """One place in a team; the same Suna agent may hold several."""

    id: UUID
    agent_id: UUID
    #: Unique in its team; events, results and other agents' settings name it.
    key: str
    role: Role
    order: int
    config: AgentConfig
    agent_details: AgentDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDraft:
    """A place in a team as it is asked for: key and order may be left to us."""

    agent_id: UUID
    role: Role
    order: int | None
    key: str | None
    config: AgentConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamVersion:
    """A team as it was from one change to the next."""

    version: int
    name: str
    description: str | None
    workflow_type: WorkflowType
    status: TeamStatus
    agents: tuple[TeamAgent, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamSummary:
    """A team in a list."""

    id: UUID
    name: str
    description: str | None
    workflow_type: WorkflowType
    status: TeamStatus
    version: int
    agents_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Rises by one in `version` with every change."""

    id: UUID
    user_id: UUID
    name: str
    description: str | None
    workflow_type: WorkflowType
    status: TeamStatus
    agents: tuple[TeamAgent, ...]
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def agents_count(self) -> int:
        return len(self.agents)


def place_agents(drafts: Sequence[AgentDraft]) -> list[tuple[str, int]]:
    """
    The key and order of every draft, in the given order: order defaults to the position in the
    list from 1, key to `agent_{order}` (`agent_{order}_2` for the second of that order).

    Raises Invalid when two agents claim the same key, or the same singular role.
    """
    orders = [position if d.order is None else d.order for position, d in enumerate(drafts, 1)]
    given = {d.key for d in drafts if d.key is not None}
    keys: list[str] = []
    for draft, order in zip(drafts, orders, strict=True):
        key, n = draft.key or f"agent_{order}", 1
        while draft.key is None and (key in given or key in keys):
            n += 1
            key = f"agent_{order}_{n}"
        keys.append(key)
    problems = [
        Problem(
            ("agents", i, "key"), "duplicate_key", f"Another agent has the key {key!r} already."
        )
        for i, key in enumerate(keys)
        if key in keys[:i]
    ]
    roles = Counter(d.role for d in drafts)
    problems += [
        Problem(("agents", i, "role"), "duplicate_role", f"A team has at most one {d.role}.")
        for i, d in enumerate(drafts)
        if d.role is not Role.MEMBER and roles[d.role] > 1
    ]
    if problems:
        raise Invalid("The team's agents contradict each other.", problems)
    return list(zip(keys, orders, strict=True))


class TeamNotFound(NotFound):
    """No such team of this user."""

    code = "team_not_found"
    title = "Team not found"

    def __init__(self, team_id: UUID) -> None:
        super().__init__(f"There is no team {team_id}.")


class VersionMismatch(OutOfDate):
    """Somebody has changed the team since you read it; read it again, and decide anew."""

    code = "version_mismatch"
    title = "The team has changed"

    def __init__(self, team: "Team") -> None:
        self.extras = {"version": team.version}
        super().__init__(f"The team is at version {team.version} by now; read it again.")


class TeamNotActive(Conflict):
    """Only active teams execute."""

    code = "team_not_active"
    title = "Team is not active"

    def __init__(self, team: Team) -> None:
        super().__init__(f"The team is {team.status}; set its status to active to execute it.")


class TeamHasRunningExecutions(Conflict):
    """A team is deleted only when nothing of it runs or waits to run."""

    code = "team_has_running_executions"
    title = "Team has running executions"

    def __init__(self, count: int) -> None:
        what = "1 execution is" if count == 1 else f"{count} executions are"
        super().__init__(f"{what} not finished; cancel or wait, then delete the team.")


class UnknownAgent(Invalid):
    """A team names agents that Suna does not have."""

    code = "unknown_agent"
    title = "Unknown agent"
