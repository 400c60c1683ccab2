"""
`python -m bench.live.bare PORT`: what we are measured against.

A WebSocket broadcast server as one writes it with Starlette, on the same uvicorn: no users, no
log, no resume. What is posted to `/pub` goes to every socket, one after the other.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

sockets: set[WebSocket] = set()
waiting: asyncio.Queue[str] = asyncio.Queue()


async def follow(socket: WebSocket) -> None:
    await socket.accept()
    sockets.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        sockets.discard(socket)


async def publish(request: Request) -> Response:
    waiting.put_nowait((await request.body()).decode())
    return Response(status_code=204)


async def health(_: Request) -> Response:
    return PlainTextResponse("ok")


async def broadcast() -> None:
    while True:
        text = await waiting.get()
        for socket in list(sockets):
            try:
                await socket.send_text(text)
            except WebSocketDisconnect:
                sockets.discard(socket)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    task = asyncio.create_task(broadcast())
    yield
    task.cancel()


app = Starlette(
    routes=[
        WebSocketRoute("/ws", follow),
        Route("/pub", publish, methods=["POST"]),
        Route("/health", health),
    ],
    lifespan=lifespan,
)

if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
