"""Follow one execution to its end: snapshots and events together, so that nothing is missed."""

import asyncio
import time
from collections.abc import Callable

from renum.errors import ApiError, ConnectionFailed, Unauthorized
from renum.events import EventStream
from renum.models import FINAL, Event, Execution
from renum.resources import Executions
from renum.timing import Timing

# The server is alive, but cannot answer now.
_PASSING = frozenset({429, 500, 502, 503, 504})

OnSnapshot = Callable[[Execution], None]
OnEvent = Callable[[Event], None]


class Watch:
    """
    The stream is connected first, then the snapshot is read: what happens in between comes
    twice, never not at all. The snapshot is read again after every reconnection, and whenever
    no event of this execution came for a while: a lost last event only costs that time.
    """

    def __init__(
        self,
        execution_id: str,
        executions: Executions,
        stream: EventStream,
        *,
        on_snapshot: OnSnapshot | None,
        on_event: OnEvent | None,
        patience_s: float,
        timing: Timing,
    ) -> None:
        self._id = execution_id
        self._executions = executions
        self._stream: EventStream | None = stream
        self._on_snapshot = on_snapshot or (lambda _snapshot: None)
        self._on_event = on_event or (lambda _event: None)
        self._patience_s = patience_s
        self._poll_s = timing.poll_s
        self._reached_at: float | None = None

    async def run(self) -> Execution:
        """The final snapshot; see AsyncClient.watch for the errors."""
        while True:
            snapshot = await self._snapshot()
            if snapshot is not None and snapshot.is_final:
                return snapshot
            await self._until_stale()

    async def _snapshot(self) -> Execution | None:
        """The execution now; None while the server is away, which patience allows for a time."""
        try:
            snapshot = await self._executions.get(self._id)
        except (ConnectionFailed, ApiError) as error:
            passing = isinstance(error, ConnectionFailed) or error.status in _PASSING
            if not passing or self._reached_at is None or self._is_out_of_patience():
                raise
            return None
        self._reached_at = time.monotonic()
        self._on_snapshot(snapshot)
        return snapshot

    def _is_out_of_patience(self) -> bool:
        return time.monotonic() - (self._reached_at or 0) > self._patience_s

    async def _until_stale(self) -> None:
        """Pass events on until the snapshot should be read again."""
        loop = asyncio.get_running_loop()
        stale_at = loop.time() + self._poll_s
        while True:
            try:
                async with asyncio.timeout_at(stale_at):
                    event = await self._next_event()
            except TimeoutError:
                return
            if event.type in {"connected", "error"}:
                return
            if event.data.get("execution_id") != self._id:
                continue
            self._reached_at = time.monotonic()
            stale_at = loop.time() + self._poll_s
            self._on_event(event)
            if event.type == "execution_status_update" and event.data.get("status") in FINAL:
                return

    async def _next_event(self) -> Event:
        if self._stream is not None:
            try:
                return await anext(self._stream)
            except Unauthorized:
                raise
            except ApiError:
                self._stream = None  # no stream to be had here: snapshots alone will do
        return await asyncio.Future()
