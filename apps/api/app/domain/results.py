"""One agent's part in an execution, as it stands."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto
from uuid import UUID

from app.domain.agents import RunRef
from app.domain.history import History
from app.domain.texts import MAX_INLINE_BYTES


class AgentStatus(StrEnum):
    PENDING = "pending"
    #: An attempt runs, or the next one is due at `due_at`.
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    #: Its conditions did not hold, or an earlier failure stopped the team.
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        return self not in (AgentStatus.PENDING, AgentStatus.RUNNING)


class Attachment(Enum):
    """Whether a run could be noted as that of an attempt."""

    OURS = auto()
    #: It is the run of another result, or of an earlier attempt.
    TAKEN = auto()
    #: The attempt is over, or has another run: somebody else drives it.
    SUPERSEDED = auto()


class RemoteStop(StrEnum):
    """What became of the remote run of an agent that we stopped."""

    NOT_NEEDED = "not_needed"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    #: We gave up asking; the run may go on at Suna.
    UNCONFIRMED = "unconfirmed"


@dataclass(slots=True, kw_only=True)
class AgentResult:
    """A step's row. `run_key` without `run` means: a start was intended and its answer unknown."""

    key: str
    agent_id: UUID
    agent_name: str
    status: AgentStatus = AgentStatus.PENDING
    attempts: int = 0
    #: Made before the start of the current attempt, so that its run can be found again.
    run_key: UUID | None = None
    run: RunRef | None = None
    #: Ids of the runs of attempts that have failed: none of them is a later attempt's.
    past_runs: tuple[str, ...] = ()
    #: When the current attempt was begun, or was gone on with after it waited for Suna.
    attempt_at: datetime | None = None
    #: When it goes on by itself: with the next attempt, or with this one.
    due_at: datetime | None = None
    #: Since when it waits, for its `due_at` or until Suna has room.
    waiting_since: datetime | None = None
    #: What the agent is given; made before it is started. The beginning only, when too long.
    input: str | None = None
    #: Of the whole input, in UTF-8.
    input_bytes: int | None = None
    #: What the agent answered. The beginning only, when too long.
    output: str | None = None
    #: Of the whole output, in UTF-8.
    output_bytes: int | None = None
    needs_input: bool = False
    usage: dict[str, int] | None = None
    error_code: str | None = None
    error_message: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    remote_stop: RemoteStop = RemoteStop.NOT_NEEDED
    #: Taken over from the execution that this one retries; nothing ran for it here.
    reused: bool = False
    history: History = ()

    @property
    def is_held(self) -> bool:
        """Whether it could begin, and waits until Suna has room."""
        return (
            not self.status.is_final
            and self.run_key is None
            and self.due_at is None
            and self.waiting_since is not None
        )

    @property
    def at_work(self) -> bool:
        """Whether an attempt is under way; else a running one waits for the next."""
        return self.status is AgentStatus.RUNNING and self.run_key is not None

    def is_due(self, now: datetime) -> bool:
        """Whether a running one may go on that waits."""
        waits = self.status is AgentStatus.RUNNING and self.run_key is None
        return waits and (self.due_at is None or self.due_at <= now)

    @property
    def input_truncated(self) -> bool:
        return self.input_bytes is not None and self.input_bytes > MAX_INLINE_BYTES

    @property
    def output_truncated(self) -> bool:
        return self.output_bytes is not None and self.output_bytes > MAX_INLINE_BYTES

    @property
    def execution_time_ms(self) -> int:
        """From the first attempt's start to the end; 0 while it has not ended."""
        if self.started_at is None or self.completed_at is None:
            return 0
        return round((self.completed_at - self.started_at).total_seconds() * 1000)

    def end(self, status: AgentStatus, at: datetime) -> None:
        """Reach a final status; there is no way back from it."""
        if self.status.is_final:
            raise ValueError(f"{self.key} is already {self.status}")
        self.status, self.completed_at = status, at
        self.due_at = self.waiting_since = None
