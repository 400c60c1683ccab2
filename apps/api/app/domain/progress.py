"""Where an execution stands, and how far it has come."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.domain.results import AgentResult, AgentStatus


class ExecutionStatus(StrEnum):
    #: Waits for a free slot of its user.
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in (ExecutionStatus.PENDING, ExecutionStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an execution is; `percentage` counts agents that have ended in whatever way."""

    completed_agents: int
    total_agents: int
    failed_agents: int
    skipped_agents: int
    percentage: int
    current_step: str

    @classmethod
    def of(cls, status: ExecutionStatus, results: Iterable[AgentResult]) -> "Progress":
        """The progress of an execution with at least one result."""
        results = list(results)
        statuses = [r.status for r in results]
        ended = sum(s.is_final for s in statuses)
        return cls(
            completed_agents=statuses.count(AgentStatus.COMPLETED),
            total_agents=len(statuses),
            failed_agents=statuses.count(AgentStatus.FAILED),
            skipped_agents=statuses.count(AgentStatus.SKIPPED),
            percentage=ended * 100 // len(statuses),
            current_step=_current_step(status, results),
        )


def _current_step(status: ExecutionStatus, results: list[AgentResult]) -> str:
    if status is ExecutionStatus.PENDING:
        return "Waiting in queue"
    if status.is_final:
        return status.capitalize()
    names = [r.agent_name for r in results if r.status is AgentStatus.RUNNING]
    if not names:
        return "Initializing agents"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more} processing"
