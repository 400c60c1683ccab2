"""Moving windows: what was asked for within the last so many seconds, and not more than that."""

import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem


@dataclass(frozen=True, slots=True)
class Window:
    """A window after somebody has asked."""

    #: Whether that was still within the limit; else it does not count.
    taken: bool
    remaining: int
    #: When the oldest request counts no longer, in Unix seconds.
    reset_at: float


class Windows(Protocol):
    """Whoever counts."""

    async def take(self, item: RateLimitItem, policy: str, whose: str) -> Window:
        """Count one request under a limit. Raises limits.errors.StorageError."""


class MemoryWindows:
    """
    The `Windows` of one process. *clock* gives Unix seconds.

    The memory storage of `limits` looks at everybody it knows after every request, in a thread
    each: with one user that adds a third to a small request, and it grows with the users.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        #: By policy, then by who asked, whoever did so last at the end: when, oldest first.
        self._asked: defaultdict[str, OrderedDict[str, deque[float]]] = defaultdict(OrderedDict)

    async def take(self, item: RateLimitItem, policy: str, whose: str) -> Window:
        now, window_s = self._clock(), item.get_expiry()
        asked = self._asked[policy]
        _forget(asked, now - window_s)
        times = asked.get(whose, deque())
        while times and times[0] < now - window_s:
            times.popleft()
        taken = len(times) < item.amount
        if taken:
            times.append(now)
            asked[whose] = times
            asked.move_to_end(whose)
        oldest = times[0] if times else now
        return Window(taken, item.amount - len(times), oldest + window_s)


def _forget(asked: OrderedDict[str, deque[float]], before: float) -> None:
    """Those who have not asked since then: each request adds one at most, so this ends soon."""
    while asked:
        whose, times = next(iter(asked.items()))
        if times[-1] >= before:
            return
        del asked[whose]
