"""The live stream over WebSocket (specification §7, api.md §7)."""

from contextlib import suppress

import structlog
from fastapi import WebSocket, WebSocketDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketState

from app.api.live.handshake import INTERNAL_ERROR, Close, check_origin
from app.api.live.session import Session

_log = structlog.get_logger(__name__)

SUBPROTOCOL = "renum.v1"


class LiveSockets:
    """
    Takes the sockets at one path, as a middleware.

    A route would hold for each of them, as long as it is open, what the router, the exception
    handlers and the exit stacks of a request hold: together 10 KB (measured).
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"] == self._path:
            await watch(WebSocket(scope, receive, send))
        else:
            await self._app(scope, receive, send)


async def watch(socket: WebSocket) -> None:
    """Everything that happens to the caller's teams, executions and notifications."""
    state = socket.app.state
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    try:
        check_origin(socket.headers, state.settings)
        await Session(socket, state.services, state.settings).run()
    except WebSocketDisconnect:
        pass
    except Close as close:
        await _close(socket, close)
    except Exception:  # noqa: BLE001  whatever it is, the client is told that this is over
        _log.exception("a live session failed")
        await _close(socket, Close(INTERNAL_ERROR, "internal error"))


async def _close(socket: WebSocket, close: Close) -> None:
    if socket.application_state is not WebSocketState.CONNECTED:
        return
    with suppress(WebSocketDisconnect):
        await socket.close(close.code, close.reason)
