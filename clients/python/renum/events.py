"""The event stream: one live connection for as long as it is wanted, nothing lost or twice."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, NoReturn, Self

from renum.errors import ApiError, ConnectionFailed, NotSignedIn, RenumError, Unauthorized
from renum.models import Event
from renum.session import Session
from renum.timing import Timing, backoff_s
from renum.websocket import Dropped, Socket, open_socket

_HEARTBEAT_S = 20.0
_CLOSE_LIMIT_S = 2.0
_EXTEND_EVERY_S = 10.0
_QUEUE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """Where a stream stands. When it is reconnecting: why, which try it is, and when."""

    phase: Literal["connecting", "connected", "reconnecting"]
    reason: str | None = None
    attempt: int = 0
    delay_s: float = 0.0


OnState = Callable[[ConnectionState], None]


class EventStream:
    """
    An async iterator over events that survives its connections.

    After a drop it comes back by itself and resumes after the last event it has seen. Besides
    the server's events it yields `connected` after each (re)connection, and passes on `error`
    with code `resync_required` when events are too old to be sent again: whatever you show
    must then be read anew.

    Close it (`async with`, or `aclose()`); closing the client closes its streams too.

    Raises while iterating:
        Unauthorized, NotSignedIn: no valid token can be had any more.
        ApiError: this server has no event stream for us, and will not have one later.
    """

    def __init__(
        self,
        session: Session,
        *,
        after: int | None,
        on_state: OnState | None,
        timing: Timing,
        on_close: Callable[["EventStream"], None],
    ) -> None:
        self._session = session
        self._last_id = after
        self._tell = on_state or (lambda _state: None)
        self._timing = timing
        self._on_close = on_close
        self._queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue(_QUEUE_SIZE)
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._failures = 0
        self._renewed = False
        self._resync_id: int | None = None  # where this connection goes live
        self._extended_at: float | None = None
        self._head: int | None = None  # the newest id that the last heartbeat spoke of

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self._start()
        if self._closed and self._queue.empty():
            raise StopAsyncIteration
        item = await self._queue.get()
        if isinstance(item, Event):
            return item
        await self.aclose()
        if item is None:
            raise StopAsyncIteration
        raise item

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; an iteration that waits ends."""
        self._on_close(self)
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            # A dead connection may not take our goodbye.
            await asyncio.wait({self._task}, timeout=_CLOSE_LIMIT_S)
        with contextlib.suppress(asyncio.QueueFull):  # full: nobody waits
            self._queue.put_nowait(None)

    def _start(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            self._tell(ConnectionState("connecting"))
            while True:
                await self._pause(await self._connection())
        except Exception as error:  # noqa: BLE001  the iteration raises it
            await self._queue.put(error)

    async def _connection(self) -> str:
        """One connection from start to end; answers why it ended."""
        token = None
        try:
            token = await self._session.access_token()
            async with open_socket(self._session.http, token=token, after=self._last_id) as socket:
                await self._follow(socket)
        except Dropped as drop:
            if drop.is_about_token and token is not None:
                return await self._renew(token, drop)
            if drop.is_final:
                raise _refused(drop) from drop
            return str(drop)
        except (Unauthorized, NotSignedIn):
            raise
        except (ApiError, ConnectionFailed) as error:
            return str(error)

    async def _renew(self, token: str, drop: Dropped) -> str:
        """A token was refused: try once with another."""
        if self._renewed or not self._session.can_renew:
            raise _refused(drop) from drop
        try:
            await self._session.renew(token)
        except ConnectionFailed as error:
            return str(error)
        self._renewed = True
        return str(drop)

    async def _pause(self, why: str) -> None:
        self._failures += 1
        delay_s = backoff_s(
            self._failures,
            base_s=self._timing.reconnect_base_s,
            cap_s=self._timing.reconnect_cap_s,
        )
        self._tell(ConnectionState("reconnecting", why, self._failures, delay_s))
        await asyncio.sleep(delay_s)

    async def _follow(self, socket: Socket) -> NoReturn:
        """Pass on what comes until the connection drops."""
        self._head = self._resync_id = None
        silence_s = self._timing.greeting_s
        while True:
            event = await socket.receive(timeout_s=silence_s)
            if event.type == "connected":
                heartbeat_s = float(event.data.get("heartbeat_s") or _HEARTBEAT_S)
                silence_s = self._timing.silent_heartbeats * heartbeat_s
                self._greeted(event)
            elif event.type != "error":
                # It works: the next drop starts anew. A mere greeting proves too little.
                self._failures, self._renewed = 0, False
            await self._take(event, socket)

    def _greeted(self, event: Event) -> None:
        head = event.data.get("last_event_id")
        # A head below ours is another history: the server's data was replaced.
        if head is not None and (self._last_id is None or head < self._last_id):
            self._last_id = head
        self._resync_id = head
        self._tell(ConnectionState("connected"))

    async def _take(self, event: Event, socket: Socket) -> None:
        match event.type:
            case "heartbeat":
                self._check_for_gap(event.data.get("last_event_id"))
                return
            case "token_expiring":
                await self._extend(socket)
                return
            case "authenticated":
                return
            case "error" if event.data.get("code") == "resync_required":
                # Told before the greeting, which then says where we go live, or after it.
                self._last_id = self._resync_id
        if event.id is not None:
            if self._last_id is not None and event.id <= self._last_id:
                return
            self._last_id = event.id
        await self._queue.put(event)

    def _check_for_gap(self, head: int | None) -> None:
        """An event that is still missing a whole heartbeat after it was stored is lost."""
        known = self._last_id
        if self._head is not None and known is not None and known < self._head:
            raise Dropped(f"event {self._head} did not arrive")
        self._head = head

    async def _extend(self, socket: Socket) -> None:
        now = time.monotonic()
        if self._extended_at is not None and now - self._extended_at < _EXTEND_EVERY_S:
            return  # a token that lives so briefly ends the session, and we come back
        self._extended_at = now
        # When it fails the server ends the session, and that has its own way back.
        with contextlib.suppress(RenumError):
            token = await self._session.access_token()
            if self._session.can_renew:
                token = await self._session.renew(token)
            await socket.authenticate(token)


def _refused(drop: Dropped) -> ApiError:
    status = drop.status or (401 if drop.is_about_token else 403)
    code = "unauthenticated" if drop.is_about_token else "event_stream_refused"
    return ApiError.from_problem(status, {"status": status, "code": code, "detail": str(drop)})
