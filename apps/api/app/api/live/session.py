"""
One WebSocket, from its authentication to its end (api.md §7).

Two tasks: the request's own reads, another one writes. All that is sent comes out of the
subscription's queue, so that it is in one order.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from app.api.live.handshake import (
    ABUSE,
    AUTHENTICATION_TIMEOUT,
    FORBIDDEN,
    RESTARTING,
    TOO_MANY,
    TRY_AGAIN,
    UNAUTHENTICATED,
    Close,
    credentials,
)
from app.api.scopes import check_scope
from app.common.asgi import TEXTS
from app.core.settings import Settings
from app.domain.api_keys import InsufficientScope
from app.domain.errors import NotFound, Unauthenticated, Unavailable
from app.domain.rates import RateLimited
from app.domain.reports import ExecutionReport
from app.domain.users import Identity
from app.domain.watching import (
    EVERYTHING,
    Interest,
    Message,
    ResyncRequired,
    SlowWatcher,
    StreamClosing,
    TooManyWatchers,
)
from app.schemas.executions import ExecutionAnswer
from app.schemas.live import (
    Authenticate,
    Authenticated,
    ClientMessage,
    Connected,
    ExecutionSnapshot,
    Heartbeat,
    Ping,
    Pong,
    StreamError,
    Subscribe,
    Subscribed,
    TokenExpiring,
    Unsubscribe,
    client_message,
)
from app.usecases import watching
from app.usecases.ports import Subscription
from app.usecases.services import Services

HEARTBEAT_S = 20
AUTHENTICATE_WITHIN_S = 10
EXPIRY_WARNING_S = 60
MAX_MALFORMED = 10


class Session:
    """An accepted socket."""

    __slots__ = (
        "_beat_timer",
        "_ending",
        "_expiry_timer",
        "_identity",
        "_malformed",
        "_services",
        "_settings",
        "_socket",
        "_subscription",
        "_verification",
        "_writing",
    )

    def __init__(self, socket: WebSocket, services: Services, settings: Settings) -> None:
        self._socket = socket
        self._services = services
        self._settings = settings
        self._malformed = 0
        self._identity: Identity
        self._subscription: Subscription
        self._writing: asyncio.Timeout
        self._ending: Close
        self._beat_timer: asyncio.TimerHandle
        self._expiry_timer: asyncio.TimerHandle
        self._verification: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the client leaves (WebSocketDisconnect) or is to go (Close)."""
        given = await credentials(
            self._socket.headers,
            self._socket.scope.get("subprotocols", []),
            self._socket.query_params,
            self._first_message,
            self._settings,
        )
        self._identity = await self._verify(given.token)
        structlog.contextvars.bind_contextvars(user_id=str(self._identity.user.id))
        try:
            await self._services.rates.user(self._identity.user.id)
        except RateLimited as error:
            raise Close(TOO_MANY, error.code) from None
        try:
            await self._follow(given.last_event_id)
        except ResyncRequired as error:
            resync = StreamError(
                code=error.code, message=str(error), oldest_event_id=error.oldest_event_id
            )
            await self._send([resync.as_message()])
            await self._follow(None)

    # --- coming in ------------------------------------------------------------------------

    async def _first_message(self) -> Authenticate:
        try:
            async with asyncio.timeout(AUTHENTICATE_WITHIN_S):
                while True:
                    message = await self._receive()
                    if isinstance(message, Authenticate):
                        return message
                    error = StreamError(
                        code=Unauthenticated.code, message="Send `authenticate` with a token first."
                    )
                    await self._send([error.as_message()])
        except TimeoutError:
            raise Close(AUTHENTICATION_TIMEOUT, "no authentication in time") from None

    async def _verify(self, token: str) -> Identity:
        try:
            identity = await self._services.tokens.verify(token)
            check_scope(self._socket, identity)
        except InsufficientScope as error:
            raise Close(FORBIDDEN, error.code) from None
        except Unauthenticated as error:
            raise Close(UNAUTHENTICATED, error.code) from None
        except Unavailable as error:
            raise Close(TRY_AGAIN, error.code) from None
        return identity

    async def _follow(self, after: int | None) -> None:
        live, user_id = self._services.live, self._identity.user.id
        try:
            async with live.subscribe(user_id, after=after) as self._subscription:
                await self._converse()
        except TooManyWatchers as error:
            raise Close(TOO_MANY, error.code) from None
        except StreamClosing as error:
            raise Close(RESTARTING, error.code) from None
        except Unavailable as error:
            raise Close(TRY_AGAIN, error.code) from None

    async def _converse(self) -> None:
        connected = Connected(
            user_id=self._identity.user.id,
            last_event_id=self._subscription.last_event_id,
            heartbeat_s=HEARTBEAT_S,
        )
        await self._send([connected.as_message()])
        self._subscription.write = self._texts.get("write")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write())
                self._beat_later()
                self._watch_expiry()
                await self._read()
        except* WebSocketDisconnect:
            pass
        except* Close as closes:
            raise _only(closes) from None
        finally:
            self._beat_timer.cancel()
            self._expiry_timer.cancel()
            if self._verification is not None:
                self._verification.cancel()

    # --- what goes on at the same time ------------------------------------------------------

    async def _write(self) -> None:
        try:
            async with asyncio.timeout(None) as self._writing:
                while True:
                    await self._send(await self._subscription.next())
        except TimeoutError:
            raise self._ending from None
        except StreamClosing as error:
            raise Close(RESTARTING, error.code) from None
        except (SlowWatcher, ResyncRequired, Unavailable) as error:
            raise Close(TRY_AGAIN, error.code) from None

    async def _read(self) -> None:
        while True:
            match await self._receive():
                case Authenticate() as message:
                    await self._take_token(message.data.token)
                case Subscribe() as message:
                    await self._narrow(message)
                case Unsubscribe():
                    self._hear(EVERYTHING)
                case Ping():
                    await self._send([Pong().as_message()])

    async def _take_token(self, token: str) -> None:
        identity = await self._verify(token)
        if identity.user.id != self._identity.user.id:
            raise Close(UNAUTHENTICATED, "another user's token")
        self._identity = identity
        self._expiry_timer.cancel()
        if self._verification is not None:  # of the key before, which counts no longer
            self._verification.cancel()
        self._watch_expiry()
        await self._send([Authenticated(expires_at=identity.expires_at).as_message()])

    async def _narrow(self, wanted: Subscribe) -> None:
        ids, types = wanted.data.execution_ids, wanted.data.types
        interest = Interest(
            execution_ids=None if ids is None else frozenset(ids),
            types=None if types is None else frozenset(types),
        )
        if ids is None:
            self._hear(interest)
            return

        async def snapshot() -> tuple[int, list[Message]]:
            as_of, reports = await watching.snapshots(
                self._services.db, list(dict.fromkeys(ids)), user_id=self._identity.user.id
            )
            told = [_snapshot(report, as_of) for report in reports]
            return as_of, [_subscribed(interest, as_of), *told]

        try:
            await self._subscription.restart(interest, snapshot)
        except (NotFound, Unavailable) as error:
            await self._send([StreamError(code=error.code, message=str(error)).as_message()])

    def _hear(self, interest: Interest) -> None:
        self._subscription.say(_subscribed(interest, self._subscription.narrow(interest)))

    # --- timers -----------------------------------------------------------------------------

    def _beat_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._beat_timer = loop.call_later(HEARTBEAT_S, self._beat)

    def _beat(self) -> None:
        if self._subscription.too_slow:
            # Its writer may wait for ever for a client that takes nothing.
            self._end(Close(TRY_AGAIN, SlowWatcher.code))
            return
        self._subscription.say(
            Heartbeat(last_event_id=self._subscription.last_event_id).as_message()
        )
        self._beat_later()

    def _watch_expiry(self) -> None:
        """Say so a minute ahead, and end the session with its token."""
        if self._identity.scopes is None:
            self._expiry_timer = self._before_expiry(EXPIRY_WARNING_S, self._warn)
        else:
            self._expiry_timer = self._before_expiry(0, self._expire)

    def _warn(self) -> None:
        self._subscription.say(TokenExpiring(expires_at=self._identity.expires_at).as_message())
        self._expiry_timer = self._before_expiry(0, self._expire)

    def _expire(self) -> None:
        if self._identity.scopes is None:
            self._end(Close(UNAUTHENTICATED, "token expired"))
        else:
            self._verification = asyncio.create_task(self._verify_key())

    async def _verify_key(self) -> None:
        """An API key is no token that ends, but it may have been deleted."""
        try:
            self._identity = await self._verify(self._identity.token)
        except Close as close:
            self._end(close)
        else:
            self._watch_expiry()

    def _before_expiry(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        left = (self._identity.expires_at - self._services.clock()).total_seconds() - seconds
        return asyncio.get_running_loop().call_later(max(0.0, left), call)

    def _end(self, close: Close) -> None:
        """End the session, even if its writer waits for a client that takes nothing."""
        self._ending = close
        with suppress(RuntimeError):  # it ends by itself right now
            self._writing.reschedule(asyncio.get_running_loop().time())

    # --- messages ---------------------------------------------------------------------------

    async def _receive(self) -> ClientMessage:
        """The next well-formed message; answers malformed ones, but not for ever."""
        while True:
            frame = await self._socket.receive()
            if frame["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(frame.get("code", 1000))
            try:
                message = client_message.validate_json(
                    frame.get("text") or frame.get("bytes") or ""
                )
            except ValidationError as error:
                self._malformed += 1
                if self._malformed >= MAX_MALFORMED:
                    raise Close(ABUSE, "too many malformed messages") from None
                problem = StreamError(code="malformed_message", message=_told(error))
                await self._send([problem.as_message()])
            else:
                self._malformed = 0
                return message

    @property
    def _texts(self) -> dict[str, Any]:
        extension: dict[str, Any] = self._socket.scope.get("extensions", {}).get(TEXTS, {})
        return extension

    async def _send(self, messages: Sequence[Message]) -> None:
        texts = [m.text for m in messages]
        if self._texts:
            await self._socket.send({"type": "websocket.send", "texts": texts})
        else:
            for text in texts:
                await self._socket.send_text(text.decode())


def _only(closes: ExceptionGroup[Close]) -> Close:
    close = closes.exceptions[0]
    assert isinstance(close, Close)  # noqa: S101  nothing here nests groups
    return close


def _snapshot(report: ExecutionReport, as_of: int) -> Message:
    values = ExecutionAnswer.model_validate(report)
    return ExecutionSnapshot.model_construct(**dict(values), as_of_id=as_of).as_message()


def _subscribed(interest: Interest, as_of: int) -> Message:
    ids, types = interest.execution_ids, interest.types
    return Subscribed(
        execution_ids=None if ids is None else sorted(ids),
        types=None if types is None else sorted(types),
        as_of_id=as_of,
    ).as_message()


def _told(error: ValidationError) -> str:
    """What is wrong with a message, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
