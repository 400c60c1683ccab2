"""What an execution has to tell: its events, numbered without a gap, and its notifications."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.domain.events import (
    AgentCompleted,
    AgentStarted,
    Event,
    ExecutionLog,
    ExecutionStatusUpdate,
    NewNotification,
)
from app.domain.notifications import Notification
from app.domain.progress import ExecutionStatus, Progress
from app.domain.results import AgentResult
from app.domain.texts import HEAD_CHARS


@dataclass(slots=True)
class Journal:
    """Keeps what happened until it is stored."""

    execution_id: UUID
    team_id: UUID
    #: The number of the last event.
    seq: int = 0
    events: list[Event] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def status(
        self,
        status: ExecutionStatus,
        progress: Progress,
        *,
        started_at: datetime,
        completed_at: datetime | None,
        error_code: str | None,
        error_message: str | None,
    ) -> None:
        self.events.append(
            ExecutionStatusUpdate(
                execution_id=self.execution_id,
                team_id=self.team_id,
                seq=self._next(),
                status=status,
                progress=progress,
                started_at=started_at,
                completed_at=completed_at,
                error_code=error_code,
                error_message=error_message,
            )
        )

    def agent_started(self, result: AgentResult, started_at: datetime) -> None:
        self.events.append(
            AgentStarted(
                execution_id=self.execution_id,
                seq=self._next(),
                key=result.key,
                agent_id=result.agent_id,
                agent_name=result.agent_name,
                attempt=result.attempts,
                started_at=started_at,
            )
        )

    def agent_ended(self, result: AgentResult, completed_at: datetime) -> None:
        self.events.append(
            AgentCompleted(
                execution_id=self.execution_id,
                seq=self._next(),
                key=result.key,
                agent_id=result.agent_id,
                agent_name=result.agent_name,
                status=result.status,
                attempts=result.attempts,
                output=result.output and result.output[:HEAD_CHARS],
                output_truncated=result.output_truncated or len(result.output or "") > HEAD_CHARS,
                needs_input=result.needs_input,
                reused=result.reused,
                error_code=result.error_code,
                error_message=result.error_message,
                execution_time_ms=result.execution_time_ms,
                started_at=result.started_at,
                completed_at=completed_at,
            )
        )

    def log(
        self, at: datetime, level: str, message: str, result: AgentResult | None = None
    ) -> None:
        self.events.append(
            ExecutionLog(
                execution_id=self.execution_id,
                seq=self._next(),
                timestamp=at,
                level=level,
                message=message,
                agent_id=result.agent_id if result else None,
            )
        )

    def notify(self, notification: Notification) -> None:
        self.notifications.append(notification)
        self.events.append(NewNotification.of(notification))

    def take(self) -> tuple[tuple[Event, ...], tuple[Notification, ...]]:
        """Everything since the last call."""
        taken = tuple(self.events), tuple(self.notifications)
        self.events.clear()
        self.notifications.clear()
        return taken

    def _next(self) -> int:
        self.seq += 1
        return self.seq
