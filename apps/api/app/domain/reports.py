"""Executions as they are read: what a list shows, and one in full."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.events import ExecutionLog, Progress
from app.domain.execution import ExecutionConfig, ExecutionStatus
from app.domain.results import AgentResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSummary:
    """An execution in a list."""

    id: UUID
    team_id: UUID
    team_name: str
    status: ExecutionStatus
    progress: Progress
    created_at: datetime
    started_at: datetime
    completed_at: datetime | None
    cancelled_at: datetime | None
    deadline_at: datetime
    estimated_completion: datetime
    error_code: str | None
    error_message: str | None
    #: From 1, while pending.
    queue_position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport(ExecutionSummary):
    """One execution in full: results in plan order, the latest log lines in their order."""

    prompt: str
    context: dict[str, object]
    config: ExecutionConfig
    results: tuple[AgentResult, ...]
    logs: tuple[ExecutionLog, ...]
    logs_truncated: bool
    #: The last event of this execution that this picture contains.
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilters:
    """Which executions a list shows; None and empty mean all."""

    team_id: UUID | None = None
    statuses: tuple[ExecutionStatus, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
