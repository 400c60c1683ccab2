"""The live stream over WebSocket (specification §7, api.md §7)."""

import asyncio
from contextlib import suppress

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from app.api.deps import CurrentSettings, Services
from app.api.live.handshake import INTERNAL_ERROR, Close, check_origin
from app.api.live.session import Session

router = APIRouter()
_log = structlog.get_logger(__name__)

SUBPROTOCOL = "renum.v1"
#: A client that takes nothing is not waited for longer than this to take its close frame.
_CLOSE_S = 5


@router.websocket("/ws")
async def watch(socket: WebSocket, services: Services, settings: CurrentSettings) -> None:
    """Everything that happens to the caller's teams, executions and notifications."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    try:
        check_origin(socket.headers, settings)
        await Session(socket, services, settings).run()
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
