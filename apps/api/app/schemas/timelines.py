"""Where the time of an execution went."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

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


_EXAMPLE_AGENT = {
    "agent_id": "4fd0b1f4-5a39-4c76-8f3e-27a0a32b8d11",
    "status": "completed",
    "attempts": 1,
    "reused": False,
    "recorded": True,
    "waiting_ms": 0,
    "backoff_ms": 0,
}
_EXAMPLE: dict[str, Any] = {
    "execution_id": "01a1e2d0-7c1b-7a53-9a0e-3f6b2f4f8f10",
    "status": "completed",
    "as_of": "2026-11-26T10:05:00Z",
    "created_at": "2026-11-26T10:00:00Z",
    "started_at": "2026-11-26T10:00:00Z",
    "ended_at": "2026-11-26T10:01:30.250Z",
    "queued_ms": 0,
    "duration_ms": 90250,
    "agents": [
        {
            **_EXAMPLE_AGENT,
            "key": "research",
            "agent_name": "Researcher",
            "needs": [],
            "waited_for": None,
            "ready_at": "2026-11-26T10:00:00Z",
            "started_at": "2026-11-26T10:00:00.050Z",
            "ended_at": "2026-11-26T10:01:00.050Z",
            "spans": [
                {
                    "state": "queued",
                    "attempt": 1,
                    "started_at": "2026-11-26T10:00:00Z",
                    "ended_at": "2026-11-26T10:00:00.050Z",
                    "duration_ms": 50,
                    "code": None,
                },
                {
                    "state": "running",
                    "attempt": 1,
                    "started_at": "2026-11-26T10:00:00.050Z",
                    "ended_at": "2026-11-26T10:01:00.050Z",
                    "duration_ms": 60000,
                    "code": None,
                },
            ],
            "queued_ms": 50,
            "running_ms": 60000,
        },
        {
            **_EXAMPLE_AGENT,
            "key": "write",
            "agent_name": "Writer",
            "needs": ["research"],
            "waited_for": "research",
            "ready_at": "2026-11-26T10:01:00.050Z",
            "started_at": "2026-11-26T10:01:00.050Z",
            "ended_at": "2026-11-26T10:01:30.250Z",
            "spans": [
                {
                    "state": "running",
                    "attempt": 1,
                    "started_at": "2026-11-26T10:01:00.050Z",
                    "ended_at": "2026-11-26T10:01:30.250Z",
                    "duration_ms": 30200,
                    "code": None,
                }
            ],
            "queued_ms": 0,
            "running_ms": 30200,
        },
    ],
    "critical_path": ["research", "write"],
}


class TimelineAnswer(Answer):
    """An execution over time."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

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
