"""
Which call shall go wrong, and how: a queue per operation, eaten one call at a time.

This module only keeps the queue. `suna/faulty_route.py` asks it at every Suna route and turns
the answer into a broken response; `suna/starting.py` turns some into a broken run.
"""

from collections import deque
from enum import StrEnum


class Operation(StrEnum):
    """What a fault is set on; both dialects share one queue an operation."""

    START = "start"
    STATUS = "status"
    STREAM = "stream"
    MESSAGES = "messages"
    STOP = "stop"
    AGENTS = "agents"
    HEALTH = "health"


class Fault(StrEnum):
    SERVER_ERROR = "500"
    SHUTTING_DOWN = "503"
    TOO_MANY = "429"
    RUN_LIMIT = "402-limit"
    NO_CREDITS = "402-credits"
    DROP_ANSWER = "drop-answer"  # the work is done, the connection closes without an answer
    HANG = "hang"  # no work, no answer; a stream answers its head and stays silent
    EMPTY_ANSWER = "empty-answer"  # the run completes without text, or the messages lack it
    FAIL_RUN = "fail-run"  # the run fails, with a traceback as its error
    LIE_COMPLETED = "lie-completed"  # `completed`, although it is not so
    ASK = "ask"  # the run ends by asking a human


_EVERYWHERE = frozenset(
    {
        Fault.SERVER_ERROR,
        Fault.SHUTTING_DOWN,
        Fault.TOO_MANY,
        Fault.RUN_LIMIT,
        Fault.NO_CREDITS,
        Fault.DROP_ANSWER,
        Fault.HANG,
    }
)
_ALSO = {
    Operation.START: frozenset(
        {Fault.EMPTY_ANSWER, Fault.FAIL_RUN, Fault.LIE_COMPLETED, Fault.ASK}
    ),
    Operation.STATUS: frozenset({Fault.FAIL_RUN, Fault.LIE_COMPLETED}),
    Operation.STREAM: frozenset({Fault.LIE_COMPLETED}),
    Operation.MESSAGES: frozenset({Fault.EMPTY_ANSWER}),
}


def possible(operation: Operation) -> frozenset[Fault]:
    """The faults that mean something on this operation."""
    return _EVERYWHERE | _ALSO.get(operation, frozenset())


class Faults:
    """First in, first out, per operation."""

    def __init__(self) -> None:
        self._queues: dict[Operation, deque[Fault]] = {o: deque() for o in Operation}

    def add(self, operation: Operation, fault: Fault, times: int = 1) -> None:
        """
        Break the next `times` calls of one operation.

        Raises:
            ValueError: the fault means nothing on that operation.
        """
        if fault not in possible(operation):
            allowed = ", ".join(sorted(possible(operation)))
            raise ValueError(f"fault {fault} is not possible on {operation}; possible: {allowed}")
        self._queues[operation].extend([fault] * times)

    def take(self, operation: Operation) -> Fault | None:
        """The fault of this call, if any; it is used up by asking."""
        queue = self._queues[operation]
        return queue.popleft() if queue else None

    def clear(self) -> None:
        for queue in self._queues.values():
            queue.clear()

    def pending(self) -> dict[str, list[str]]:
        """What is still queued, for a person who wonders why a call fails."""
        return {o.value: [f.value for f in queue] for o, queue in self._queues.items() if queue}
