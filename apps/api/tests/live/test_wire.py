"""Our WebSocket protocol: many texts in one write, and no client that is waited for in vain."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.common.asgi import TEXTS
from app.infra.websocket import wire
from app.infra.websocket.wire import WebSocketProtocol, framed
from tests.serving import running


def server_of(handler: Callable[[WebSocket], Awaitable[None]]) -> uvicorn.Server:
    """A server with one WebSocket handler."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        await handler(websocket)

    config = uvicorn.Config(
        app,
        ws=WebSocketProtocol,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


@contextmanager
def serving(handler: Callable[[WebSocket], Awaitable[None]]) -> Iterator[str]:
    with running(server_of(handler)) as url:
        yield url.replace("http", "ws")


async def send(websocket: WebSocket, texts: list[bytes]) -> None:
    await websocket.send({"type": "websocket.send", "texts": texts})


async def send_until_held(websocket: WebSocket) -> int:
    """How often 50 kB could be sent to a client that takes nothing."""
    sent = 0
    try:
        while True:
            async with asyncio.timeout(0.5):
                await send(websocket, [b"x" * 50_000])
            sent += 1
    except TimeoutError:
        return sent


@pytest.mark.parametrize(
    "texts",
    [
        ["one"],
        ["one", "two", "três 🎯"],
        ["x" * 125, "x" * 126, "x" * 65_535, "x" * 65_536, "é" * 200_000, ""],
        [str(n) for n in range(5_000)],
    ],
    ids=["one", "some", "every length", "many"],
)
def test_texts_arrive_one_by_one_and_in_order(texts: list[str]) -> None:
    async def handler(websocket: WebSocket) -> None:
        assert TEXTS in websocket.scope["extensions"]
        await send(websocket, [t.encode() for t in texts])
        await websocket.send_text("the usual way")
        await send(websocket, [b"end"])
        await websocket.close()

    with serving(handler) as url, connect(url, max_size=None) as client:
        assert [client.recv(10) for _ in texts] == texts
        assert client.recv(10) == "the usual way"
        assert client.recv(10) == "end"
        with pytest.raises(ConnectionClosed):
            client.recv(10)


def test_a_text_is_framed_once_for_all_sockets() -> None:
    text = b"the same event"
    assert framed(text) is framed(text)
    long = b"x" * 100_000
    assert framed(long) is not framed(long)  # nothing large is kept


def test_a_client_that_takes_nothing_makes_the_sender_wait() -> None:
    sent: list[int] = []
    held = threading.Event()

    async def handler(websocket: WebSocket) -> None:
        sent.append(await send_until_held(websocket))
        held.set()

    with serving(handler) as url, connect(url, max_queue=1) as client:
        assert held.wait(20)
        # What the system and the client hold, and one write of ours; not without an end.
        assert 0 < sent[0] < 1_000
        client.socket.close()


def test_who_is_gone_is_noticed_by_the_sender() -> None:
    gone = threading.Event()

    async def handler(websocket: WebSocket) -> None:
        try:
            while True:
                await send(websocket, [b"x"])
                await asyncio.sleep(0.01)
        except WebSocketDisconnect:
            gone.set()

    with serving(handler) as url:
        with connect(url) as client:
            client.recv(10)
        assert gone.wait(20)


def test_what_was_written_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler has ended, and its client takes nothing: the connection is cut."""
    monkeypatch.setattr(wire, "LINGER_S", 0.2)
    ended = threading.Event()

    async def handler(websocket: WebSocket) -> None:
        await send_until_held(websocket)
        ended.set()

    server = server_of(handler)
    with running(server) as url, connect(url.replace("http", "ws"), max_queue=1) as client:
        assert ended.wait(20)
        give_up_at = time.monotonic() + 20
        while server.server_state.connections:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
        client.socket.close()
