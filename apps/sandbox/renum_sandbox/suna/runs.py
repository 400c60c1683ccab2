"""One run: all that its row says, and the status that row and clock give together."""

from dataclasses import dataclass
from enum import StrEnum

from renum_sandbox.suna.dialect import Dialect


class RunStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class Ending(StrEnum):
    """How a run will end unless it is stopped; decided at its start."""

    ANSWER = "answer"
    ASK = "ask"  # completed, and waiting for a human
    EMPTY = "empty"  # completed without a text
    FAIL = "fail"
    LIE = "lie-completed"  # an error that the worker did not recognise: `completed`, no text
    LATE = "late-answer"  # completed a moment before its last message can be read
    TAKEOVER = "takeover"  # as ASK, by asking a human to take over the browser
    OLD_TAGS = "old-tags"  # answers inside <complete>, as older agents do
    OLD_ASK = "old-ask"  # asks a human inside <ask>
    ATTACHMENTS = "attachments"  # answers by `complete`, with files
    BILLING = "billing-stop"  # stopped half way by Suna, the credit being used up
    FOREVER = "forever"  # its worker is gone, nobody will ever end it


_STATUS_AT_END = {Ending.FAIL: RunStatus.FAILED, Ending.BILLING: RunStatus.STOPPED}
ASKING = frozenset({Ending.ASK, Ending.TAKEOVER, Ending.OLD_ASK})
"""The agent is waiting for a human, although its run is completed."""


class Engine(StrEnum):
    DEMO = "demo"  # a pure function of the row and the clock
    MODEL = "model"  # a task in this process; `ends_at` and the text come when it ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Times are seconds since the epoch."""

    id: str
    thread_id: str
    account_id: str
    agent_id: str
    dialect: Dialect
    prompt: str
    request_id: str | None
    engine: Engine
    ending: Ending
    started_at: float
    visible_at: float  # era B answers a start before its row exists
    ends_at: float | None
    error: str | None  # shown once the run has failed, or was stopped by Suna
    model_text: str | None
    stopped_at: float | None

    def status(self, now: float) -> RunStatus:
        if self.stopped_at is not None:
            return RunStatus.STOPPED
        if self.ends_at is None or now < self.ends_at:
            return RunStatus.RUNNING
        return _STATUS_AT_END.get(self.ending, RunStatus.COMPLETED)

    def completed_at(self, now: float) -> float | None:
        """When it ended; a late stop overwrites it, because the real one is not guarded."""
        if self.status(now) is RunStatus.RUNNING:
            return None
        return self.stopped_at if self.stopped_at is not None else self.ends_at

    def error_shown(self, now: float) -> str | None:
        by_itself = self.stopped_at is None and self.status(now) is not RunStatus.RUNNING
        return self.error if by_itself else None

    def heard_until(self, now: float) -> float:
        """Up to when the agent has been talking: `now`, or the moment of the stop."""
        return now if self.stopped_at is None else min(now, self.stopped_at)
