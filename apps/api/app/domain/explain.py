"""What an execution waits for, since when, and what happens next and when. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.agents import SunaBusy
from app.domain.progress import ExecutionStatus
from app.domain.reports import ExecutionReport, JobState
from app.domain.results import AgentResult, AgentStatus, RemoteStop

#: How often lost jobs are looked for, in seconds.
CHECK_EVERY_S = 15


class WaitsFor(StrEnum):
    """The named waits of the engine."""

    #: Another execution of the same user has to end first.
    QUEUE_SLOT = "queue_slot"
    #: A worker process has to take it.
    WORKER = "worker"
    #: An agent's start was sent to Suna and is not confirmed yet.
    AGENT_START = "agent_start"
    AGENT_ANSWER = "agent_answer"
    #: The next attempt of an agent is due at a stored time.
    RETRY = "retry"
    #: Suna runs as many agents as it may.
    SUNA_CAPACITY = "suna_capacity"
    #: Suna does not answer; the agent was surely not started.
    SUNA_AWAY = "suna_away"
    #: It has ended, and runs at Suna are being stopped.
    REMOTE_STOP = "remote_stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One thing that is waited for."""

    waits_for: WaitsFor
    detail: str
    since: datetime
    #: When it happens by itself; None when that is up to somebody else.
    due_at: datetime | None = None
    key: str | None = None
    agent_name: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`summary` is one sentence; `next_at` is None when nobody can know."""

    status: ExecutionStatus
    summary: str
    waits: tuple[Wait, ...]
    next: str
    next_at: datetime | None
    queue_position: int | None
    deadline_at: datetime | None


def explain(report: ExecutionReport, job: JobState, *, running_limit: int) -> Explanation:
    """Why an execution stands where it stands."""
    waits = _waits(report, job, running_limit)
    summary, following, at = _story(report, waits)
    return Explanation(
        status=report.status,
        summary=summary,
        waits=waits,
        next=following,
        next_at=at,
        queue_position=report.queue_position,
        deadline_at=report.deadline_at if report.status is ExecutionStatus.RUNNING else None,
    )


def _waits(report: ExecutionReport, job: JobState, running_limit: int) -> tuple[Wait, ...]:
    if report.status is ExecutionStatus.PENDING:
        return (
            Wait(
                waits_for=WaitsFor.QUEUE_SLOT,
                detail=f"position {report.queue_position} of its user's queue; "
                f"{running_limit} executions may run at once",
                since=report.created_at,
            ),
        )
    if report.status.is_final:
        return tuple(
            _of_agent(
                r,
                WaitsFor.REMOTE_STOP,
                "Suna has not confirmed yet that its run has stopped",
                r.completed_at or report.started_at,
            )
            for r in report.results
            if r.remote_stop is RemoteStop.PENDING
        )
    agents = tuple(_agent(r, report) for r in report.results if _waits_for_something(r))
    if job is JobState.WORKED:
        return agents
    why = {
        JobState.WAITING: "no worker has taken it yet",
        JobState.ABANDONED: "its worker gives no sign of life; another one takes over in seconds",
        JobState.NONE: f"its job was lost; that is repaired within {CHECK_EVERY_S} s",
    }[job]
    since = max((w.since for w in agents), default=report.started_at)
    return (Wait(waits_for=WaitsFor.WORKER, detail=why, since=since), *agents)


def _waits_for_something(result: AgentResult) -> bool:
    return result.status is AgentStatus.RUNNING or result.waiting_since is not None


def _agent(result: AgentResult, report: ExecutionReport) -> Wait:
    at_work_since = result.attempt_at or report.started_at
    if result.run_key is not None:
        if result.run is None:
            unsure = "its start is not confirmed yet"
            return _of_agent(result, WaitsFor.AGENT_START, unsure, at_work_since)
        return _of_agent(result, WaitsFor.AGENT_ANSWER, "it is at work", at_work_since)
    since = result.waiting_since or at_work_since
    if result.due_at is None:
        full = "Renum has as many agents at work at Suna as it may"
        return _of_agent(result, WaitsFor.SUNA_CAPACITY, full, since)
    if result.attempt_at is None:
        failed = f"attempt {result.attempts} failed: {result.error_message}"
        return _of_agent(result, WaitsFor.RETRY, failed, since)
    if result.error_code == SunaBusy.code:
        full = "Suna runs as many agents as it may"
        return _of_agent(result, WaitsFor.SUNA_CAPACITY, full, since)
    return _of_agent(result, WaitsFor.SUNA_AWAY, result.error_message or "it is away", since)


def _of_agent(result: AgentResult, what: WaitsFor, detail: str, since: datetime) -> Wait:
    return Wait(
        waits_for=what,
        detail=detail,
        since=since,
        due_at=result.due_at,
        key=result.key,
        agent_name=result.agent_name,
        attempt=result.attempts,
    )


#: What has to happen before an agent is started (again).
_BEFORE_A_START = {
    WaitsFor.SUNA_CAPACITY: "Suna has room",
    WaitsFor.SUNA_AWAY: "Suna answers again",
    WaitsFor.RETRY: "the next attempt is due",
}


def _story(report: ExecutionReport, waits: Sequence[Wait]) -> tuple[str, str, datetime | None]:
    """The sentence, what happens next, and when."""
    if report.status is ExecutionStatus.PENDING:
        return (
            f"It waits for a free slot, at position {report.queue_position} of the queue.",
            "It starts when an earlier execution of its user ends.",
            None,
        )
    if report.status.is_final:
        return _ending(report, waits)
    if not waits:
        return "It is between two steps.", "The engine starts the next agents.", None
    first = waits[0]
    if first.waits_for is WaitsFor.WORKER:
        return f"It waits for a worker: {first.detail}.", "A worker continues it.", None
    at_work = [w for w in waits if w.waits_for not in _BEFORE_A_START]
    later = [w for w in waits if w.waits_for in _BEFORE_A_START]
    due = [w for w in later if w.due_at is not None]
    soonest = min(due, key=lambda w: w.due_at or report.deadline_at, default=None)
    parts = [f"for the answer of {_names(at_work)}"] if at_work else []
    if later:
        why = _BEFORE_A_START[(soonest or later[0]).waits_for]
        parts.append(f"until {why} for {_names(later)}")
    summary = f"It waits {', and '.join(parts)}."
    if soonest is not None:
        return summary, f"{soonest.agent_name} is started again.", soonest.due_at
    if at_work:
        return (summary, "The agents that follow start when their predecessors have ended.", None)
    return summary, "They are started, in turn, when agents at work at Suna have ended.", None


def _ending(report: ExecutionReport, waits: Sequence[Wait]) -> tuple[str, str, datetime | None]:
    why = f": {report.error_message}" if report.error_message else ""
    by = " by its user" if report.status is ExecutionStatus.CANCELLED else ""
    summary = f"It {'was' if by else 'has'} {report.status}{by}{why}".rstrip(".") + "."
    if waits:
        return summary, "Renum asks Suna again until the runs are confirmed to have stopped.", None
    asks = [r.agent_name for r in report.results if r.needs_input]
    if asks:
        return summary, f"{' and '.join(asks)} asked for input: execute again with it.", None
    if report.status is ExecutionStatus.COMPLETED:
        return summary, "Nothing: this is final.", None
    return summary, "Nothing by itself; a retry runs again what did not complete.", None


def _names(waits: Sequence[Wait]) -> str:
    names = " and ".join(f"{w.agent_name} ({w.key})" for w in waits[:3])
    return f"{names} and {len(waits) - 3} more" if len(waits) > 3 else names
