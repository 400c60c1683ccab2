"""Wakes those who wait for a run, when something other than the clock changes it."""

import asyncio
from contextlib import suppress


class Bell:
    """One event a run with listeners; a run nobody listens to costs nothing."""

    def __init__(self) -> None:
        self._rings: dict[str, asyncio.Event] = {}
        self._listeners: dict[str, int] = {}
        self.closing = asyncio.Event()

    def ring(self, run_id: str) -> None:
        """Wake every listener of one run; they look at its row again."""
        event = self._rings.pop(run_id, None)
        if event is not None:
            event.set()

    async def wait(self, run_id: str, timeout_s: float | None) -> None:
        """Return at the next ring, after `timeout_s`, or at once when the server closes."""
        if self.closing.is_set():
            return
        event = self._rings.setdefault(run_id, asyncio.Event())
        self._listeners[run_id] = self._listeners.get(run_id, 0) + 1
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._listeners[run_id] -= 1
            if not self._listeners[run_id]:
                del self._listeners[run_id]
                self._rings.pop(run_id, None)

    async def pause(self, seconds: float) -> None:
        """Wait for `seconds`, or until the server closes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()

    def close(self) -> None:
        """Wake everybody for good, so that a shutdown waits for no stream."""
        self.closing.set()
        for run_id in list(self._rings):
            self.ring(run_id)
