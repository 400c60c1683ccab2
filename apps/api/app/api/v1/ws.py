"""The live stream over WebSocket (specification §7, api.md §7)."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.websockets import WebSocketState

from app.api.deps import CurrentSettings, Services
from app.domain.errors import Unauthenticated, Unavailable
from app.domain.users import Identity
from app.domain.watching import ResyncRequired, SlowWatcher, TooManyWatchers
from app.schemas.live import Authenticate, client_message
from app.usecases.ports import Subscription
from app.usecases.services import Services as ServicesType

router = APIRouter()
_log = structlog.get_logger(__name__)

SUBPROTOCOL = "renum.v1"
HEARTBEAT_S = 20
AUTHENTICATE_WITHIN_S = 10
EXPIRY_WARNING_S = 60
MAX_MALFORMED = 10

ABUSE = 1008
TRY_AGAIN = 1013
UNAUTHENTICATED = 4401
FORBIDDEN_ORIGIN = 4403
AUTHENTICATION_TIMEOUT = 4408
TOO_MANY = 4429


class _Close(Exception):
    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason


@router.websocket("/ws")
async def watch(socket: WebSocket, services: Services, settings: CurrentSettings) -> None:
    """Everything that happens to the caller's teams, executions and notifications."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    try:
        origin = socket.headers.get("origin")
        if origin is not None and origin not in settings.cors_origins:
            await socket.close(FORBIDDEN_ORIGIN, "origin not allowed")
        else:
            await _Watch(socket, services).run()
    except _Close as close:
        if socket.application_state is WebSocketState.CONNECTED:
            await socket.close(close.code, close.reason)
    except WebSocketDisconnect:
        pass


@dataclass(slots=True)
class _Credentials:
    token: str
    last_event_id: int | None


class _Watch:
    """One socket, from its authentication to its end."""

    def __init__(self, socket: WebSocket, services: ServicesType) -> None:
        self._socket = socket
        self._services = services
        self._malformed = 0
        self._identity: Identity
        self._token_changed = asyncio.Event()

    async def run(self) -> None:
        credentials = await self._credentials()
        self._identity = await self._verify(credentials.token)
        structlog.contextvars.bind_contextvars(user_id=str(self._identity.user.id))
        async with AsyncExitStack() as stack:
            subscription = await self._subscribe(stack, credentials.last_event_id)
            await self._send(
                "connected",
                {
                    "user_id": self._identity.user.id,
                    "last_event_id": subscription.last_event_id,
                    "heartbeat_s": HEARTBEAT_S,
                },
            )
            tasks = [
                asyncio.create_task(part)
                for part in (
                    self._write(subscription),
                    self._read(),
                    self._beat(subscription),
                    self._watch_expiry(),
                )
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                done.pop().result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    # --- coming in ------------------------------------------------------------------------

    async def _credentials(self) -> _Credentials:
        """The token from the header, a subprotocol (browsers), or the first message."""
        last = self._socket.query_params.get("last_event_id")
        last_event_id = int(last) if last is not None and last.isdecimal() else None
        scheme, _, token = self._socket.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return _Credentials(token, last_event_id)
        for protocol in self._socket.scope.get("subprotocols", []):
            if protocol.startswith("bearer."):
                return _Credentials(protocol.removeprefix("bearer."), last_event_id)
        try:
            async with asyncio.timeout(AUTHENTICATE_WITHIN_S):
                while True:
                    message = await self._receive()
                    if isinstance(message, Authenticate):
                        data = message.data
                        resume = last_event_id if data.last_event_id is None else data.last_event_id
                        return _Credentials(data.token, resume)
        except TimeoutError:
            raise _Close(AUTHENTICATION_TIMEOUT, "no authentication in time") from None

    async def _verify(self, token: str) -> Identity:
        try:
            return await self._services.tokens.verify(token)
        except Unauthenticated as error:
            raise _Close(UNAUTHENTICATED, error.code) from None
        except Unavailable as error:
            raise _Close(TRY_AGAIN, error.code) from None

    async def _subscribe(self, stack: AsyncExitStack, after: int | None) -> Subscription:
        user_id, live = self._identity.user.id, self._services.live
        try:
            try:
                return await stack.enter_async_context(live.subscribe(user_id, after=after))
            except ResyncRequired as error:
                await self._send_error(error.code, str(error), oldest=error.oldest_event_id)
                return await stack.enter_async_context(live.subscribe(user_id, after=None))
        except TooManyWatchers as error:
            raise _Close(TOO_MANY, error.code) from None
        except Unavailable as error:
            raise _Close(TRY_AGAIN, error.code) from None

    # --- what goes on at the same time ------------------------------------------------------

    async def _write(self, subscription: Subscription) -> None:
        while True:
            try:
                for message in await subscription.next():
                    await self._socket.send_text(message.decode())
            except SlowWatcher as error:
                raise _Close(TRY_AGAIN, error.code) from None
            except Unavailable as error:
                raise _Close(TRY_AGAIN, error.code) from None

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if isinstance(message, Authenticate):
                identity = await self._verify(message.data.token)
                if identity.user.id != self._identity.user.id:
                    raise _Close(UNAUTHENTICATED, "another user's token")
                self._identity = identity
                self._token_changed.set()
                await self._send("authenticated", {"expires_at": identity.expires_at})
            else:
                await self._send("pong", {})

    async def _beat(self, subscription: Subscription) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._send("heartbeat", {"last_event_id": subscription.last_event_id})

    async def _watch_expiry(self) -> None:
        """Say so a minute ahead, and end the session with its token."""
        while True:
            self._token_changed.clear()
            if await self._unchanged_until(EXPIRY_WARNING_S):
                await self._send("token_expiring", {"expires_at": self._identity.expires_at})
                if await self._unchanged_until(0):
                    raise _Close(UNAUTHENTICATED, "token expired")

    async def _unchanged_until(self, before_s: float) -> bool:
        left = (self._identity.expires_at - self._services.clock()).total_seconds() - before_s
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._token_changed.wait()
        return not self._token_changed.is_set()

    # --- messages ---------------------------------------------------------------------------

    async def _receive(self) -> object:
        """The next well-formed message; answers malformed ones, but not for ever."""
        while True:
            frame = await self._socket.receive()
            if frame["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(frame.get("code", 1000))
            try:
                message = client_message.validate_json(
                    frame.get("text") or frame.get("bytes") or ""
                )
            except ValidationError:
                self._malformed += 1
                if self._malformed >= MAX_MALFORMED:
                    raise _Close(ABUSE, "too many malformed messages") from None
                await self._send_error(
                    "malformed_message",
                    'Send {"type": "authenticate" | "ping", "data": {...}} as JSON text.',
                )
            else:
                self._malformed = 0
                return message

    async def _send(self, type_: str, data: dict[str, object]) -> None:
        message = {"type": type_, "data": data, "timestamp": datetime.now(UTC)}
        await self._socket.send_text(to_json(message).decode())

    async def _send_error(self, code: str, message: str, *, oldest: int | None = None) -> None:
        data: dict[str, object] = {"code": code, "message": message}
        if oldest is not None:
            data["oldest_event_id"] = oldest
        await self._send("error", data)
