"""Executions as they are read: in a list, in full, by the queue, over time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.events import ExecutionLog
from app.domain.execution import Execution, ExecutionConfig
from app.domain.progress import ExecutionStatus, Progress
from app.domain.results import AgentResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSummary:
    """An execution in a list."""

    id: UUID
    team_id: UUID
    team_name: str
    team_version: int | None
    status: ExecutionStatus
    progress: Progress
    created_at: datetime
    started_at: datetime
    completed_at: datetime | None
    cancelled_at: datetime | None
    deadline_at: datetime
    estimated_completion: datetime
    retry_of: UUID | None
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


def first_report(execution: Execution, *, queue_position: int | None) -> ExecutionReport:
    """An execution that was just made, and is not stored yet, as it is going to be read."""
    return ExecutionReport(
        id=execution.id,
        team_id=execution.team_id,
        team_name=execution.team_name,
        team_version=execution.team_version,
        status=execution.status,
        progress=execution.progress,
        created_at=execution.created_at,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        cancelled_at=execution.cancelled_at,
        deadline_at=execution.deadline_at,
        estimated_completion=execution.estimated_completion,
        retry_of=execution.retry_of,
        error_code=execution.error_code,
        error_message=execution.error_message,
        queue_position=queue_position,
        prompt=execution.prompt,
        context=execution.context,
        config=execution.config,
        results=tuple(execution.results.values()),
        logs=tuple(e for e in execution.journal.events if isinstance(e, ExecutionLog)),
        logs_truncated=False,
        seq=execution.seq,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpan:
    """Where an execution begins and ends in its user's event log."""

    #: None when all of it is older than the log.
    first_id: int | None
    #: None while it goes on.
    last_id: int | None
    status: ExecutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilters:
    """Which executions a list shows; None and empty mean all."""

    team_id: UUID | None = None
    statuses: tuple[ExecutionStatus, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How long a team's last completed runs took, in seconds; None without any."""

    samples: int
    p50_s: float | None
    p90_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a user has going on, and how long a team's completed runs took (median, seconds; None
    without any)."""

    running: int
    queued: int
    typical_s: float | None


class JobState(StrEnum):
    """What the queue has for an execution."""

    NONE = "none"
    #: No worker has fetched it yet.
    WAITING = "waiting"
    #: A living worker drives it.
    WORKED = "worked"
    #: The worker that drives it gives no sign of life.
    ABANDONED = "abandoned"


class StuckKind(StrEnum):
    """Why nothing moves an execution (architecture §4.8)."""

    #: It runs, but the queue has no job for it.
    NO_JOB = "no_job"
    #: It waits, although its user has a free slot.
    NOT_PROMOTED = "not_promoted"
    #: It has ended, and a remote run is to be stopped, but the queue has no job for that.
    NO_STOP_JOB = "no_stop_job"


@dataclass(frozen=True, slots=True)
class Stuck:
    """An execution that nothing moves."""

    execution_id: UUID
    user_id: UUID
    kind: StuckKind
