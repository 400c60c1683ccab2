"""
The server's answers, typed.

Fields that a newer server adds are kept and readable as attributes; fields that an older one
lacks are None or empty. `model_dump(mode="json", exclude_unset=True)` gives the answer back.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

FINAL = frozenset({"completed", "failed", "cancelled"})


class Answer(BaseModel):
    """Base: unknown fields are kept, nothing can be changed."""

    model_config = ConfigDict(extra="allow", frozen=True)


class User(Answer):
    id: str
    email: str | None = None
    name: str | None = None


class TokenAnswer(Answer):
    """What login and refresh answer; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str | None = None
    expires_in: float | None = None
    user: User | None = None


class Pagination(Answer):
    page: int = 1
    limit: int = 10
    total: int = 0
    pages: int = 0


class Agent(Answer):
    """One of Suna's agents, which may stand in a team."""

    id: str
    name: str
    description: str | None = None
    category: str | None = None
    capabilities: list[str] = []
    available: bool = True


class AgentPage(Answer):
    """`stale` is True when the list comes from a cache because Suna is away."""

    agents: list[Agent]
    pagination: Pagination | None = None
    stale: bool = False


class AgentDetails(Answer):
    name: str | None = None
    description: str | None = None


class TeamAgent(Answer):
    """An agent's place in a team."""

    id: str | None = None
    key: str | None = None
    agent_id: str
    role: str = "member"
    order: int = 0
    config: dict[str, Any] = {}
    agent_details: AgentDetails | None = None


class TeamSummary(Answer):
    """A team as lists show it."""

    id: str
    name: str
    description: str | None = None
    workflow_type: str
    status: str = "active"
    version: int | None = None
    agents_count: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Team(TeamSummary):
    """A team with its agents."""

    agents: list[TeamAgent] = []


class TeamPage(Answer):
    teams: list[TeamSummary]
    pagination: Pagination


class TeamVersion(Answer):
    """A team as it was from one change to the next."""

    version: int
    name: str
    description: str | None = None
    workflow_type: str
    status: str = "active"
    agents: list[TeamAgent] = []
    created_at: datetime | None = None


class TeamVersionPage(Answer):
    versions: list[TeamVersion]
    pagination: Pagination


class PlannedStep(Answer):
    """One agent's part in a plan: `needs` are the steps that must have ended before."""

    key: str
    agent_id: str
    agent_name: str
    stage: int
    needs: list[str] = []
    input_source: str | None = None
    input: str | None = None
    input_error: str | None = None


class Plan(Answer):
    """What an execution would do."""

    steps: list[PlannedStep]
    estimate: dict[str, Any] = {}
    starts_now: bool = True


class Progress(Answer):
    completed_agents: int = 0
    total_agents: int = 0
    failed_agents: int = 0
    skipped_agents: int = 0
    percentage: float | None = None
    current_step: str | None = None


class AgentResult(Answer):
    """What one agent of an execution did so far."""

    key: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    status: str = "pending"
    output: str | None = None
    output_truncated: bool = False
    error_code: str | None = None
    error_message: str | None = None
    attempts: int | None = None
    needs_input: bool = False
    execution_time_ms: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


class LogLine(Answer):
    seq: int | None = None
    timestamp: datetime | None = None
    level: str = "info"
    message: str = ""
    agent_id: str | None = None


class LogPage(Answer):
    """`next_after` asks for the lines that follow; None at the end."""

    logs: list[LogLine]
    next_after: int | None = None


class Execution(Answer):
    """One run of a team. Lists give it without `results` and `logs`."""

    execution_id: str
    team_id: str | None = None
    status: str
    team_name: str | None = None
    team_version: int | None = None
    retry_of: str | None = None
    queue_position: int | None = None
    seq: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    estimated_completion: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    progress: Progress = Field(default_factory=Progress)
    results: list[AgentResult] = []
    logs: list[LogLine] = []

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in FINAL


class ExecutionPage(Answer):
    executions: list[Execution]
    pagination: Pagination


class Wait(Answer):
    """One thing that an execution waits for."""

    waits_for: str
    detail: str
    since: datetime | None = None
    due_at: datetime | None = None
    key: str | None = None
    agent_name: str | None = None
    attempt: int | None = None


class Explanation(Answer):
    """What an execution waits for, and what happens next."""

    status: str
    summary: str
    waits: list[Wait] = []
    next: str = ""
    next_at: datetime | None = None
    queue_position: int | None = None
    deadline_at: datetime | None = None


class Span(Answer):
    """A stretch of an agent's time: `queued`, `waiting`, `running` or `backoff`."""

    state: str
    attempt: int
    started_at: datetime
    ended_at: datetime | None = None
    duration_ms: int = 0
    code: str | None = None


class AgentTimeline(Answer):
    """One agent's part of a timeline."""

    key: str
    agent_name: str = ""
    status: str
    attempts: int = 0
    recorded: bool = True
    waited_for: str | None = None
    spans: list[Span] = []
    queued_ms: int = 0
    waiting_ms: int = 0
    running_ms: int = 0
    backoff_ms: int = 0


class Timeline(Answer):
    """An execution over time; `critical_path` names the agents that made it as long as it was."""

    execution_id: str
    status: str
    as_of: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    queued_ms: int = 0
    duration_ms: int = 0
    agents: list[AgentTimeline] = []
    critical_path: list[str] = []


class Cancelled(Answer):
    execution_id: str
    status: str
    cancelled_at: datetime | None = None


class Notification(Answer):
    id: str
    type: str
    title: str = ""
    message: str = ""
    read: bool = False
    created_at: datetime | None = None
    data: dict[str, Any] = {}


class NotificationPage(Answer):
    notifications: list[Notification]
    pagination: Pagination | None = None
    unread_count: int | None = None


class MarkedRead(Answer):
    """How many were unread."""

    marked: int


class Health(Answer):
    status: str
    version: str | None = None
    timestamp: datetime | None = None


class Ready(Answer):
    """`ready` or `not_ready`."""

    status: str


class ServicesHealth(Answer):
    """`ok`, `degraded` or `down`; `services` has each thing that the server stands on."""

    status: str
    services: dict[str, dict[str, Any]] = {}


class Event(Answer):
    """
    One message of the event stream.

    `id` is the place in the user's gap-free sequence; passing messages (`agent_output`,
    `connected`, `error`) have none.
    """

    type: str
    data: dict[str, Any] = {}
    id: int | None = None
    timestamp: datetime | None = None
