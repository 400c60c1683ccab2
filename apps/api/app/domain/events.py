"""
What is told to watchers, in the words of api.md §7. Durable events are numbered and stored with
the change they tell; each class is the shape of one event's `data`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from app.domain.notifications import Notification, NotificationType
from app.domain.progress import ExecutionStatus, Progress
from app.domain.results import AgentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStatusUpdate:
    """The status or the progress of an execution changed."""

    event_type: ClassVar[str] = "execution_status_update"
    execution_id: UUID
    team_id: UUID
    #: Gap-free per execution, from 1.
    seq: int
    status: ExecutionStatus
    progress: Progress
    started_at: datetime
    completed_at: datetime | None
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStarted:
    """An attempt of an agent begins."""

    event_type: ClassVar[str] = "agent_started"
    execution_id: UUID
    seq: int
    key: str
    agent_id: UUID
    agent_name: str
    attempt: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCompleted:
    """An agent reached a final status: completed, failed, skipped or cancelled."""

    event_type: ClassVar[str] = "agent_completed"
    execution_id: UUID
    seq: int
    key: str
    agent_id: UUID
    agent_name: str
    status: AgentStatus
    attempts: int
    #: The first 16,384 characters at most; the rest is in the execution's results.
    output: str | None
    output_truncated: bool
    needs_input: bool
    #: Taken over from the execution that this one retries.
    reused: bool
    error_code: str | None
    error_message: str | None
    execution_time_ms: int
    started_at: datetime | None
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLog:
    """One line of an execution's log, stored and told."""

    event_type: ClassVar[str] = "execution_log"
    execution_id: UUID
    seq: int
    timestamp: datetime
    level: str
    message: str
    agent_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotification:
    """A notification was made for the user."""

    event_type: ClassVar[str] = "new_notification"
    id: UUID
    type: NotificationType
    title: str
    message: str
    read: bool
    created_at: datetime
    data: dict[str, UUID]

    @classmethod
    def of(cls, notification: Notification) -> "NewNotification":
        return cls(
            id=notification.id,
            type=notification.type,
            title=notification.title,
            message=notification.message,
            read=notification.read,
            created_at=notification.created_at,
            data=notification.data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamUpdated:
    """A team was created, updated or deleted."""

    event_type: ClassVar[str] = "team_updated"
    team_id: UUID
    action: str
    name: str
    version: int


ExecutionEvent = ExecutionStatusUpdate | AgentStarted | AgentCompleted | ExecutionLog
Event = ExecutionEvent | NewNotification | TeamUpdated
