"""Where the time of an execution went: what ran, what waited, and what waited for what. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

from app.domain.history import Phase
from app.domain.progress import ExecutionStatus
from app.domain.results import AgentResult, AgentStatus
from app.domain.workflow import Plan


class SpanState(StrEnum):
    """What an agent did in a span."""

    #: Everything it needs had ended; a worker, or a place among `parallel_limit`, was missing.
    QUEUED = "queued"
    #: Suna had no room or was away; nothing of it ran.
    WAITING = "waiting"
    #: An attempt: from its beginning, start included, until its result was stored.
    RUNNING = "running"
    #: Between a failed attempt and the next one.
    BACKOFF = "backoff"


#: Why an agent waits that Suna was not asked for.
NO_ROOM = "suna_capacity"

_STATES = {
    Phase.HELD: SpanState.WAITING,
    Phase.WAITING: SpanState.WAITING,
    Phase.RUNNING: SpanState.RUNNING,
    Phase.BACKOFF: SpanState.BACKOFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of an agent's time; `duration_ms` counts up to now while `ended_at` is None."""

    state: SpanState
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    duration_ms: int
    #: Of a failed attempt and the backoff after it the error's code; of a wait its reason.
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTimeline:
    """One agent's part; the sums are of its spans."""

    key: str
    agent_id: UUID
    agent_name: str
    status: AgentStatus
    attempts: int
    reused: bool
    #: False when not all of its attempts were noted: it began under an older version of Renum.
    recorded: bool
    needs: tuple[str, ...]
    #: Of what it needs, what ended last; None when it waited for the execution's start only.
    waited_for: str | None
    #: When the last thing that it needs had ended; None before that.
    ready_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    spans: tuple[Span, ...]
    queued_ms: int
    waiting_ms: int
    running_ms: int
    backoff_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """An execution over time; durations of what goes on count up to `as_of`."""

    id: UUID
    status: ExecutionStatus
    as_of: datetime
    created_at: datetime
    #: None while it waits for a free slot, and where it was cancelled before any agent began.
    started_at: datetime | None
    ended_at: datetime | None
    queued_ms: int
    duration_ms: int
    agents: tuple[AgentTimeline, ...]
    #: Each waited for the one before; the last one ended last, or still goes on.
    critical_path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is stored of an execution's time."""

    id: UUID
    status: ExecutionStatus
    created_at: datetime
    started_at: datetime
    completed_at: datetime | None
    plan: Plan
    #: In plan order, without inputs and outputs.
    results: tuple[AgentResult, ...]


def timeline(recorded: Recorded, now: datetime) -> Timeline:
    """The story of an execution so far, told at *now*."""
    # One that was cancelled before its turn never started.
    began = recorded.status is not ExecutionStatus.PENDING and (
        recorded.status is not ExecutionStatus.CANCELLED or any(r.history for r in recorded.results)
    )
    start = recorded.started_at if began else None
    end = recorded.completed_at
    results = {r.key: r for r in recorded.results}
    agents = tuple(_agent(recorded, results, key, start, now) for key in results)
    return Timeline(
        id=recorded.id,
        status=recorded.status,
        as_of=now,
        created_at=recorded.created_at,
        started_at=start,
        ended_at=end,
        queued_ms=_ms(recorded.created_at, start or end or now),
        duration_ms=0 if start is None else _ms(start, end or now),
        agents=agents,
        critical_path=_critical_path(agents, now),
    )


def _agent(
    recorded: Recorded,
    results: Mapping[str, AgentResult],
    key: str,
    start: datetime | None,
    now: datetime,
) -> AgentTimeline:
    result, needs = results[key], recorded.plan.step(key).needs
    ready_at, waited_for = (None, None) if start is None else _ready(results, needs, start)
    if result.reused:
        ready_at = waited_for = None
    spans = _spans(result, ready_at, now)

    def total(state: SpanState) -> int:
        return sum(s.duration_ms for s in spans if s.state is state)

    ran = [s for s in spans if s.state is SpanState.RUNNING]
    return AgentTimeline(
        key=key,
        agent_id=result.agent_id,
        agent_name=result.agent_name,
        status=result.status,
        attempts=result.attempts,
        reused=result.reused,
        recorded=result.reused or _is_recorded(result),
        needs=needs,
        waited_for=waited_for,
        ready_at=ready_at,
        started_at=ran[0].started_at if ran else None,
        ended_at=result.completed_at,
        spans=spans,
        queued_ms=total(SpanState.QUEUED),
        waiting_ms=total(SpanState.WAITING),
        running_ms=total(SpanState.RUNNING),
        backoff_ms=total(SpanState.BACKOFF),
    )


def _is_recorded(result: AgentResult) -> bool:
    if not result.history:
        return result.attempts == 0
    return result.history[0].attempt == 1


def _ready(
    results: Mapping[str, AgentResult], needs: tuple[str, ...], start: datetime
) -> tuple[datetime | None, str | None]:
    """When the last of *needs* ended, and which one that was; what was reused needed no time."""
    at, last = start, None
    for key in needs:
        need = results[key]
        if need.completed_at is None:
            return None, None
        if not need.reused and need.completed_at >= at:
            at, last = need.completed_at, key
    return at, last


def _spans(result: AgentResult, ready_at: datetime | None, now: datetime) -> tuple[Span, ...]:
    history = result.history
    if not _is_recorded(result) or ready_at is None:
        return ()
    if result.status is AgentStatus.SKIPPED and not history:
        return ()  # its conditions did not hold, or the team was stopped: it never waited to run
    spans = []
    first = history[0].at if history else result.completed_at
    if first is None or first > ready_at:
        spans.append(_span(SpanState.QUEUED, 1, ready_at, first, None, now))
    for mark, following in pairwise((*history, None)):
        assert mark is not None  # noqa: S101  only the last one is None
        ends = following.at if following else result.completed_at
        code = mark.code
        if mark.phase is Phase.HELD:
            code = NO_ROOM
        elif mark.phase is Phase.RUNNING:
            failed = following is not None and following.phase is Phase.BACKOFF
            code = following.code if following and failed else None
            if following is None and result.status is not AgentStatus.COMPLETED:
                code = result.error_code if result.status.is_final else None
        spans.append(_span(_STATES[mark.phase], mark.attempt, mark.at, ends, code, now))
    return tuple(spans)


def _span(
    state: SpanState,
    attempt: int,
    started_at: datetime,
    ended_at: datetime | None,
    code: str | None,
    now: datetime,
) -> Span:
    return Span(
        state=state,
        attempt=attempt,
        started_at=started_at,
        ended_at=ended_at,
        duration_ms=_ms(started_at, ended_at or now),
        code=code,
    )


def _critical_path(agents: tuple[AgentTimeline, ...], now: datetime) -> tuple[str, ...]:
    """From what ended last, back over what each waited for."""
    by_key = {a.key: a for a in agents}
    took_time = [a for a in agents if a.spans]
    if not took_time:
        return ()
    # The first of several in plan order: what ends together is the same to whoever waits.
    last = max(took_time, key=lambda a: a.ended_at or now)
    path: list[str] = []
    step: AgentTimeline | None = last
    while step is not None:
        if step.spans:
            path.append(step.key)
        step = by_key[step.waited_for] if step.waited_for else None
    return tuple(reversed(path))


def _ms(start: datetime, end: datetime) -> int:
    # Machines' clocks differ by a hair; time does not run backwards for all that.
    return max(0, round((end - start).total_seconds() * 1000))
