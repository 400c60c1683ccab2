"""The live stream over WebSocket (specification §7, api.md §7)."""

import asyncio
from contextlib import suppress

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from app.api.live.handshake import INTERNAL_ERROR, Close, check_origin
from app.api.live.session import Session

router = APIRouter()
_log = structlog.get_logger(__name__)

SUBPROTOCOL = "renum.v1"
#: A client that takes nothing is not waited for longer than this to take its close frame.
_CLOSE_S = 5


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
    with suppress(TimeoutError, WebSocketDisconnect):
        async with asyncio.timeout(_CLOSE_S):
            await socket.close(close.code, close.reason)


# Starlette's own route: FastAPI's holds a third more memory for as long as a socket is open.
router.add_websocket_route("/ws", watch)
