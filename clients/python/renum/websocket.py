"""One WebSocket connection to the event stream, from its handshake to its end."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import wsproto.utilities
from httpx2.websockets import (
    AsyncWebSocketSession,
    HTTPXWSException,
    WebSocketDisconnect,
    WebSocketUpgradeError,
)
from pydantic import ValidationError

from renum.http import Http, reason
from renum.models import Event

# The server closes what exceeds 64 KiB from us; its own messages may carry whole outputs.
_LARGEST_MESSAGE = 16 * 1024 * 1024
_UNAUTHENTICATED = 4401
_FOREIGN_ORIGIN = 4403
# Answers to the handshake that may be different next time.
_PASSING = frozenset({408, 425, 429})


class Dropped(Exception):
    """The connection is over. `code` is the close code, `status` that of a refused handshake."""

    def __init__(self, why: str, *, code: int | None = None, status: int | None = None) -> None:
        super().__init__(why)
        self.code = code
        self.status = status

    @property
    def is_about_token(self) -> bool:
        """403 too: that is what servers answer who close before they accept."""
        return self.code == _UNAUTHENTICATED or self.status in {401, 403}

    @property
    def is_final(self) -> bool:
        """Whether the next handshake must end the same way."""
        refused = self.status is not None and 400 <= self.status < 500
        return self.code == _FOREIGN_ORIGIN or (refused and self.status not in _PASSING)


class Socket:
    """An open connection."""

    def __init__(self, session: AsyncWebSocketSession) -> None:
        self._session = session

    async def receive(self, *, timeout_s: float) -> Event:
        """
        Raises:
            Dropped: the connection ended, or nothing came for `timeout_s`.
        """
        try:
            return Event.model_validate_json(await self.receive_text(timeout_s=timeout_s))
        except ValidationError as error:
            raise _dropped(error) from error

    async def receive_text(self, *, timeout_s: float) -> str:
        """The next message as it was sent; otherwise like `receive`."""
        try:
            return await self._session.receive_text(timeout_s)
        except TimeoutError:
            raise Dropped(f"nothing heard for {timeout_s:.0f} s") from None
        except HTTPXWSException as error:
            raise _dropped(error) from error

    async def send_text(self, text: str) -> None:
        """
        Raises:
            Dropped: the connection ended.
        """
        try:
            await self._session.send_text(text)
        except (HTTPXWSException, wsproto.utilities.ProtocolError) as error:
            raise _dropped(error) from error

    async def cut(self) -> None:
        """End the connection without a goodbye, as a lost network does."""
        await self._session.stream.aclose()

    async def authenticate(self, token: str) -> None:
        """Extend the session with a newer token."""
        message = {"type": "authenticate", "data": {"token": token}}
        await self.send_text(json.dumps(message))


@asynccontextmanager
async def open_socket(http: Http, *, token: str, after: int | None) -> AsyncIterator[Socket]:
    """
    Connect, with everything after event `after` sent again; None: live from now.

    Raises:
        Dropped: at the handshake, or from the body of the `with`.
    """
    try:
        async with http.connections.websocket(
            http.path("ws"),
            params=None if after is None else {"last_event_id": after},
            headers={"Authorization": f"Bearer {token}"},
            max_message_size_bytes=_LARGEST_MESSAGE,
            # The server's heartbeat shows a dead connection; pings of our own are not needed.
            keepalive_ping_interval_seconds=None,
        ) as session:
            yield Socket(session)
    except (httpx2.TransportError, WebSocketUpgradeError) as error:
        raise _dropped(error) from error
    except ExceptionGroup as group:
        # The session's task group wraps what its body and its reader raise.
        raise _dropped(_leaf(group)) from group


def _leaf(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _dropped(error: Exception) -> Exception:
    """What the end of a connection means; errors that are not its end stay as they are."""
    match error:
        case WebSocketUpgradeError():
            status = error.response.status_code
            return Dropped(f"the server refused the event stream ({status})", status=status)
        case WebSocketDisconnect():
            return Dropped(
                error.reason or f"the server closed the connection ({error.code})", code=error.code
            )
        case httpx2.TransportError():
            return Dropped(f"cannot connect: {reason(error)}")
        case HTTPXWSException():
            return Dropped("the connection broke")
        case wsproto.utilities.ProtocolError() | ValidationError():
            return Dropped("the server sent something unreadable")
        case _:
            return error
