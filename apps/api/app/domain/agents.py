"""Suna's agents as Renum shows them, a run of one, and how a run can go wrong."""

import math
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.domain.errors import NotFound, RenumError, Unavailable, UpstreamRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent of Suna. Its system prompt and tool settings stay there."""

    id: UUID
    name: str
    description: str
    category: str | None
    capabilities: tuple[str, ...]
    available: bool


@dataclass(frozen=True, slots=True)
class AgentListing:
    """All agents of one Suna account; `stale` when Suna is away and this is what we last saw."""

    agents: tuple[Agent, ...]
    stale: bool


@dataclass(frozen=True, slots=True)
class RunRef:
    """Where a started run is found again; stored before the run is followed."""

    thread_id: str
    run_id: str


class RunStatus(StrEnum):
    """What Suna says of a run; it knows no queue."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RunState:
    """The status of a run; `error` is for our log only: it may hold a traceback."""

    status: RunStatus
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent answered; `needs_input` when it ended by asking a person."""

    text: str
    needs_input: bool = False


class AgentNotFound(NotFound):
    """No such agent in this Suna account."""

    code = "agent_not_found"
    title = "Agent not found"

    def __init__(self, agent_id: UUID) -> None:
        super().__init__(f"There is no agent {agent_id}.")


class _PutsOff(RenumError):
    """May know for how many seconds asking again makes no sense: `wait_s`."""

    def __init__(self, message: str, *, wait_s: float | None = None) -> None:
        self.wait_s = wait_s
        if wait_s is not None:
            self.retry_after_s = math.ceil(wait_s)
        super().__init__(message)


class SunaUnavailable(_PutsOff, Unavailable):
    """Suna does not answer, or answers 5xx or garbage. Nothing is known to have happened."""

    code = "suna_unavailable"
    title = "Suna is unavailable"


class SunaRefused(UpstreamRefused):
    """Suna said no for good: credentials, credits, model. Trying again changes nothing."""

    code = "suna_refused"
    title = "Suna refused the request"


class SunaTokenExpired(SunaRefused):
    """Suna is asked in the user's name, and there is no token of theirs that still holds."""

    code = "suna_token_expired"
    title = "No token for Suna"


class SunaBusy(_PutsOff):
    """Too many parallel runs in this Suna account: not a failure, wait and start again."""

    code = "suna_busy"
    title = "Suna runs as many agents as it may"


class StartFailed(_PutsOff):
    """Suna failed while it started an agent, which surely does not run."""

    code = "suna_start_failed"
    title = "Suna failed to start the agent"


class StartUnknown(_PutsOff):
    """A start was sent and its answer lost: it may be running. Find it before starting again."""

    code = "suna_start_unknown"
    title = "It is unknown whether the agent was started"


class RunLost(RenumError):
    """Suna no longer knows a run it had started."""

    code = "suna_run_lost"
    title = "Suna lost the run"
