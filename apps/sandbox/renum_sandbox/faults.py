"""
What can go wrong, where it means something, and at which call it shall happen.

This module only keeps the plan. `faulty_route.py` asks it at every route and turns what concerns
the connection into a broken answer; `suna/` and `auth/` know the refusals of their system, and
`suna/starting.py` turns some faults into a broken run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

MOST_TIMES = 10_000


class Operation(StrEnum):
    """What a fault is set on; all dialects share the calls of an operation."""

    START = "start"
    STATUS = "status"
    STREAM = "stream"
    MESSAGES = "messages"
    STOP = "stop"
    RUNS = "runs"  # the runs of one thread
    THREADS = "threads"
    AGENTS = "agents"
    HEALTH = "health"
    AUTH_TOKEN = "auth-token"  # noqa: S105  a name, no token
    AUTH_USER = "auth-user"
    AUTH_LOGOUT = "auth-logout"
    AUTH_JWKS = "auth-jwks"
    AUTH_HEALTH = "auth-health"


class Fault(StrEnum):
    """In the order of the README's tables, which say what each does."""

    # Answers of the server, or of a proxy before it
    UNAUTHENTICATED = "401"
    RUN_LIMIT = "402-limit"
    NO_CREDITS = "402-credits"
    THREAD_LIMIT = "402-threads"
    NO_MODEL = "no-model"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    INVALID = "422"
    TOO_MANY = "429"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    SHUTTING_DOWN = "503"
    RETRY_AFTER = "retry-after"
    SHUTTING_DOWN_RETRY_AFTER = "503-retry-after"
    GARBAGE = "garbage"

    # The connection
    DROP_ANSWER = "drop-answer"
    HANG = "hang"
    SLOW = "slow"
    DROP_STREAM = "drop-stream"
    SILENT_STREAM = "silent-stream"
    NO_END = "no-end"
    NOISE = "noise"

    # How a run ends, and what it looks like
    FAIL_RUN = "fail-run"
    LIE_COMPLETED = "lie-completed"
    EMPTY_ANSWER = "empty-answer"
    LATE_ANSWER = "late-answer"
    ASK = "ask"
    TAKEOVER = "takeover"
    OLD_TAGS = "old-tags"
    OLD_ASK = "old-ask"
    ATTACHMENTS = "attachments"
    BILLING_STOP = "billing-stop"
    FOREVER = "forever"
    WORKER_TIMEOUT = "worker-timeout"
    FIRST_404 = "404-first"
    NO_RUN_ID = "no-run-id"
    ODD_STATUS = "odd-status"
    PENDING = "pending"
    IGNORE_STOP = "ignore-stop"
    DOUBLE_ENCODED = "double-encoded"
    OPTIMIZED = "optimized"

    # Supabase Auth alone
    HTML = "html"
    GATEWAY_401 = "gateway-401"
    OLD_SHAPE = "old-shape"
    CONFLICT = "conflict"
    WEAK_PASSWORD = "weak-password"  # noqa: S105  a name, no password


AUTH = frozenset(o for o in Operation if o.startswith("auth-"))
SUNA = frozenset(Operation) - AUTH


def _table() -> dict[Fault, tuple[Operation, frozenset[Operation]]]:
    """Of every fault: the operation a script means when it names none, and all possible ones."""
    everywhere = SUNA | AUTH
    start, status, stream = Operation.START, Operation.STATUS, Operation.STREAM
    messages, token = Operation.MESSAGES, Operation.AUTH_TOKEN
    known_by_id = frozenset(
        {start, status, stream, messages, Operation.STOP, Operation.RUNS, Operation.AGENTS}
    )
    table = {
        Fault.UNAUTHENTICATED: (start, SUNA),
        Fault.RUN_LIMIT: (start, SUNA),
        Fault.NO_CREDITS: (start, SUNA),
        Fault.FORBIDDEN: (Operation.AGENTS, SUNA),
        Fault.NOT_FOUND: (start, known_by_id),
        Fault.INVALID: (start, SUNA),
        Fault.TOO_MANY: (start, everywhere),
        Fault.SERVER_ERROR: (start, everywhere),
        Fault.BAD_GATEWAY: (start, everywhere),
        Fault.SHUTTING_DOWN: (start, everywhere),
        Fault.RETRY_AFTER: (start, everywhere),
        Fault.SHUTTING_DOWN_RETRY_AFTER: (start, everywhere),
        Fault.GARBAGE: (status, everywhere),
        Fault.DROP_ANSWER: (start, everywhere),
        Fault.HANG: (status, everywhere),
        Fault.SLOW: (status, everywhere),
        Fault.FAIL_RUN: (start, frozenset({start, status})),
        Fault.LIE_COMPLETED: (start, frozenset({start, status, stream})),
        Fault.EMPTY_ANSWER: (start, frozenset({start, messages})),
        Fault.HTML: (token, AUTH),
        Fault.GATEWAY_401: (token, AUTH),
    }
    for only, faults in {
        start: (
            Fault.THREAD_LIMIT,
            Fault.NO_MODEL,
            Fault.LATE_ANSWER,
            Fault.ASK,
            Fault.TAKEOVER,
            Fault.OLD_TAGS,
            Fault.OLD_ASK,
            Fault.ATTACHMENTS,
            Fault.BILLING_STOP,
            Fault.FOREVER,
            Fault.WORKER_TIMEOUT,
            Fault.FIRST_404,
            Fault.NO_RUN_ID,
        ),
        status: (Fault.ODD_STATUS, Fault.PENDING),
        stream: (Fault.DROP_STREAM, Fault.SILENT_STREAM, Fault.NO_END, Fault.NOISE),
        messages: (Fault.DOUBLE_ENCODED, Fault.OPTIMIZED),
        Operation.STOP: (Fault.IGNORE_STOP,),
        token: (Fault.OLD_SHAPE, Fault.CONFLICT, Fault.WEAK_PASSWORD),
    }.items():
        table |= {fault: (only, frozenset({only})) for fault in faults}
    return table


_TABLE = _table()


def possible(operation: Operation) -> frozenset[Fault]:
    """The faults that mean something on this operation."""
    return frozenset(fault for fault, (_, operations) in _TABLE.items() if operation in operations)


def natural(fault: Fault) -> Operation:
    """The operation that is meant where a fault is named alone."""
    return _TABLE[fault][0]


def require_possible(operation: Operation, fault: Fault) -> None:
    """Raises ValueError when the fault means nothing on that operation."""
    if operation not in _TABLE[fault][1]:
        allowed = ", ".join(sorted(possible(operation)))
        raise ValueError(f"fault {fault} is not possible on {operation}; possible: {allowed}")


@dataclass(slots=True)
class _Calls:
    """The calls of one operation: how many there were, and what shall happen at later ones."""

    made: int = 0
    planned: dict[int, Fault] = field(default_factory=dict)
    always: tuple[int, Fault] | None = None  # from this call on, where nothing is planned


class Faults:
    """First in, first out, per operation; a fault may also wait for a certain call."""

    def __init__(self) -> None:
        self._calls = {operation: _Calls() for operation in Operation}

    def add(
        self, operation: Operation, fault: Fault, times: int | None = 1, *, at: int | None = None
    ) -> None:
        """
        Break calls of one operation: `times` of them, or with None all that follow.

        The first is call number `at`, counted from 1 at the start of the sandbox; without it,
        the next ones that are not yet taken.

        Raises:
            ValueError: the fault means nothing there, or those calls are taken or over.
        """
        require_possible(operation, fault)
        calls = self._calls[operation]
        if at is not None and at <= calls.made:
            raise ValueError(f"call {at} of {operation} is over: there were {calls.made}")
        if calls.always is not None and (times is None or at is None):
            raise ValueError(f"all calls of {operation} are taken by {calls.always[1]}")
        if times is None:
            calls.always = (at or self._next_free(calls), fault)
        elif at is None:
            for _ in range(times):
                calls.planned[self._next_free(calls)] = fault
        else:
            numbers = range(at, at + times)
            taken = next((n for n in numbers if n in calls.planned), None)
            if taken is not None:
                raise ValueError(f"call {taken} of {operation} is taken by {calls.planned[taken]}")
            calls.planned |= dict.fromkeys(numbers, fault)

    def take(self, operation: Operation) -> Fault | None:
        """The fault of this call, if any; asking counts the call."""
        calls = self._calls[operation]
        calls.made += 1
        if calls.made in calls.planned:
            return calls.planned.pop(calls.made)
        if calls.always is not None and calls.made >= calls.always[0]:
            return calls.always[1]
        return None

    def clear(self) -> None:
        """Forget the plan, not how many calls there were."""
        self._calls = {o: _Calls(made=calls.made) for o, calls in self._calls.items()}

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """When the block fails, what it has planned is forgotten."""
        before = deepcopy(self._calls)
        try:
            yield
        except BaseException:
            self._calls = before
            raise

    def pending(self) -> dict[str, list[str]]:
        """What is still to come, for a person who wonders why a call fails."""
        return {o.value: shown for o, calls in self._calls.items() if (shown := _shown(calls))}

    @staticmethod
    def _next_free(calls: _Calls) -> int:
        return next(n for n in count(calls.made + 1) if n not in calls.planned)


def _shown(calls: _Calls) -> list[str]:
    """The next calls by name alone, those behind a gap as `fault@call`, the endless as `x*`."""
    shown: list[str] = []
    for number in sorted(calls.planned):
        follows = number == calls.made + 1 + len(shown)
        fault = calls.planned[number]
        shown.append(fault.value if follows else f"{fault}@{number}")
    if calls.always is not None:
        first, fault = calls.always
        follows = first <= calls.made + 1 + len(shown)
        shown.append(f"{fault}x*" if follows else f"{fault}@{first}x*")
    return shown
