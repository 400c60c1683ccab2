"""Where the time of an execution went."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.domain.progress import ExecutionStatus
from app.domain.results import AgentStatus
from app.domain.timeline import SpanState
from app.schemas.base import Answer


class SpanAnswer(Answer):
    """A stretch of an agent's time."""

    state: SpanState = Field(
        description=(
            "`queued`: all that it needs had ended, and a worker or a place among "
            "`parallel_limit` was missing. `waiting`: Suna had no room or was away, nothing ran. "
            "`running`: an attempt, from its beginning until its result was stored. `backoff`: "
            "until the next attempt."
        )
    )
    attempt: int = Field(description="From 1; of a backoff, the attempt that failed.")
    started_at: datetime
    ended_at: datetime | None = Field(description="Null while it goes on.")
    duration_ms: int = Field(description="Up to `as_of`, while it goes on.")
    code: str | None = Field(
        description="How the attempt failed, or why it waits: `suna_capacity`, or Suna's answer."
    )


class AgentTimelineAnswer(Answer):
    """One agent's part; the sums are of its spans."""

    key: str
    agent_id: UUID
    agent_name: str
    status: AgentStatus
    attempts: int
    reused: bool = Field(description="Taken over from an earlier execution; no time went here.")
    recorded: bool = Field(
        description="False when attempts were not noted, by an older version: `spans` is empty."
    )
    needs: list[str] = Field(description="Agents that had to end first.")
    waited_for: str | None = Field(
        description="Which of them ended last; null when only the execution's start was waited for."
    )
    ready_at: datetime | None = Field(description="When that had ended; null before.")
    started_at: datetime | None = Field(description="Of the first attempt.")
    ended_at: datetime | None
    spans: list[SpanAnswer] = Field(description="In order, without a gap from `ready_at` on.")
    queued_ms: int
    waiting_ms: int
    running_ms: int
    backoff_ms: int


class TimelineAnswer(Answer):
    """An execution over time."""

    execution_id: UUID = Field(validation_alias="id")
    status: ExecutionStatus
    as_of: datetime = Field(description="What goes on is counted up to here.")
    created_at: datetime
    started_at: datetime | None = Field(
        description="Null while it waits for a free slot, and where it was cancelled before any "
        "agent began."
    )
    ended_at: datetime | None
    queued_ms: int = Field(description="From its creation until it had a free slot.")
    duration_ms: int = Field(description="From its start.")
    agents: list[AgentTimelineAnswer] = Field(description="In plan order.")
    critical_path: list[str] = Field(
        description="Agents of which each waited for the one before; the last one ended last. "
        "To be faster, make these faster."
    )
