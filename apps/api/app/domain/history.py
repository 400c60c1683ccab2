"""What an agent went through, attempt by attempt; kept with its result and only ever added to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: More are not kept apart: waits that follow each other for hours become one.
_MOST = 100


class Phase(StrEnum):
    """What goes on from a mark to the next one, or to the agent's end."""

    #: Could go on, and Suna has no room for another agent by our own count.
    HELD = "held"
    #: Suna was asked and surely did not start the agent: it is away or full.
    WAITING = "waiting"
    #: The attempt is under way: being started, or at work at Suna.
    RUNNING = "running"
    #: The attempt failed, and the next one is not due yet.
    BACKOFF = "backoff"


@dataclass(frozen=True, slots=True)
class Mark:
    """A phase began."""

    phase: Phase
    #: From 1; of a backoff, the attempt that failed.
    attempt: int
    at: datetime
    #: The error's, of a wait for Suna and of a backoff.
    code: str | None = None


History = tuple[Mark, ...]


def marked(history: History, mark: Mark) -> History:
    """The history with one phase more."""
    if history and _is_wait(history[-1]) and _is_wait(mark):
        last = history[-1]
        same = (last.phase, last.attempt) == (mark.phase, mark.attempt)
        if same or len(history) >= _MOST:
            return history
    return (*history, mark)


def not_started(history: History, *, attempt: int, at: datetime, code: str) -> History:
    """
    The history when Suna did not start what was taken for running: it has waited all along.

    *at* is now; it counts where nothing is known of the attempt.
    """
    if history and history[-1].phase is Phase.RUNNING:
        at, history = history[-1].at, history[:-1]
    return marked(history, Mark(Phase.WAITING, attempt, at, code))


def _is_wait(mark: Mark) -> bool:
    return mark.phase in (Phase.HELD, Phase.WAITING)
