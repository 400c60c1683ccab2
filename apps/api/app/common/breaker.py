"""
A circuit breaker: a service that fails is left alone for a while, then asked once.

Closed, it counts. When enough calls within the window have failed, it opens: nobody is let through
for a pause. Then one call is let through, and only one: its outcome closes the breaker again, or
begins another pause.

Source: M. Nygard, "Release It!", 2nd edition, chapter 5.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

logger = logging.getLogger(__name__)


class BreakerState(StrEnum):
    CLOSED = "closed"
    #: Nobody is let through.
    OPEN = "open"
    #: One call may find out, or is finding out, whether the service is back.
    HALF_OPEN = "half_open"


class BreakerOpen(Exception):
    """The service has failed too often just now; asking makes sense in `wait_s` seconds."""

    def __init__(self, name: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(f"{name} has failed too often, and is left alone for {wait_s:.1f} s")


@dataclass(slots=True)
class _Second:
    """What happened within one second."""

    at: int
    calls: int = 0
    failures: int = 0


class Breaker:
    """One service's; for one event loop."""

    def __init__(
        self,
        name: str,
        *,
        window_s: int = 30,
        min_failures: int = 5,
        failure_share: float = 0.5,
        pause_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens when of the calls of the last *window_s* seconds at least *min_failures*, and
        that share of all, have failed. *clock* gives monotonic seconds."""
        self.name = name
        self._window_s = window_s
        self._min_failures = min_failures
        self._failure_share = failure_share
        self._pause_s = pause_s
        self._clock = clock
        self._seconds: deque[_Second] = deque()
        self._open_until: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        if self._open_until is None:
            return BreakerState.CLOSED
        waiting = self._clock() < self._open_until and not self._probing
        return BreakerState.OPEN if waiting else BreakerState.HALF_OPEN

    def admit(self) -> "Permit":
        """Permission for one call; say what became of it. Raises BreakerOpen."""
        if self._open_until is None:
            return Permit(self, probe=False)
        wait_s = self._open_until - self._clock()
        if wait_s > 0 or self._probing:
            raise BreakerOpen(self.name, max(wait_s, 0.1))
        self._probing = True
        return Permit(self, probe=True)

    def _count(self, *, failed: bool) -> None:
        now = int(self._clock())
        while self._seconds and self._seconds[0].at <= now - self._window_s:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1].at != now:
            self._seconds.append(_Second(now))
        self._seconds[-1].calls += 1
        self._seconds[-1].failures += failed
        if not failed:
            return
        failures = sum(s.failures for s in self._seconds)
        calls = sum(s.calls for s in self._seconds)
        if failures >= self._min_failures and failures >= self._failure_share * calls:
            logger.warning("%s: %d of %d calls failed, breaker opens", self.name, failures, calls)
            self._open()

    def _open(self) -> None:
        self._open_until = self._clock() + self._pause_s

    def _end(self, *, probe: bool, failed: bool | None) -> None:
        """A call that was let through is over; None when it said nothing of the service."""
        if probe:
            self._probing = False
        if failed is None:
            return
        if not probe:
            # What was let through before it opened is old news by now.
            if self._open_until is None:
                self._count(failed=failed)
        elif failed:
            self._open()
        else:
            logger.warning("%s is back, breaker closes", self.name)
            self._open_until = None
            self._seconds.clear()


class Permit:
    """One call that was let through. The first word counts; without any, nothing is learnt."""

    __slots__ = ("_breaker", "_over", "_probe")

    def __init__(self, breaker: Breaker, *, probe: bool) -> None:
        self._breaker, self._probe = breaker, probe
        self._over = False

    def succeeded(self) -> None:
        """The service did what a healthy one does; refusing is one of these."""
        self._end(failed=False)

    def failed(self) -> None:
        """It did not answer, or answered that it cannot."""
        self._end(failed=True)

    def release(self) -> None:
        """The call is over, whatever it was; for a `finally`."""
        self._end(failed=None)

    def _end(self, *, failed: bool | None) -> None:
        if not self._over:
            self._over = True
            self._breaker._end(probe=self._probe, failed=failed)  # noqa: SLF001  one thing in two
