"""Our WebSocket protocol: many texts in one write, and no client that is waited for in vain."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from app.common.asgi import TEXTS
from app.infra.websocket import wire
from app.infra.websocket.wire import WRITE_BYTES, WebSocketProtocol, framed
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


def test_what_is_written_without_waiting_fits_one_write() -> None:
    """More of it waits with its watcher, where it is counted, and not in the transport."""
    taken: list[bool] = []
    ended = threading.Event()

    async def handler(websocket: WebSocket) -> None:
        write = websocket.scope["extensions"][TEXTS]["write"]
        half = b"x" * (WRITE_BYTES // 2)
        taken.extend([write([half, b"end"]), write([half, half, b"lost"]), write([half * 3])])
        await send(websocket, [b"end"])
        ended.set()

    with serving(handler) as url, connect(url, max_size=None) as client:
        received = [len(client.recv(10)) for _ in range(4)]
    assert ended.wait(20)
    assert taken == [True, False, True]
    assert received == [WRITE_BYTES // 2, 3, WRITE_BYTES // 2 * 3, 3]


def test_pings_of_a_client_that_takes_nothing_are_not_all_answered() -> None:
    """Of those that came meanwhile the last is: as RFC 6455 has it, §5.5.3."""
    waiting: list[int] = []
    full, pinged = threading.Event(), threading.Event()

    async def handler(websocket: WebSocket) -> None:
        transport = websocket.scope["extensions"][TEXTS]["write"].__self__.transport
        await send_until_held(websocket)
        before = transport.get_write_buffer_size()
        full.set()
        await websocket.receive_text()  # comes after the pings
        waiting.append(transport.get_write_buffer_size() - before)
        pinged.set()
        with suppress(WebSocketDisconnect):
            await websocket.receive_text()

    with serving(handler) as url, connect(url, max_queue=1, ping_interval=None) as client:
        assert full.wait(20)
        pongs = [client.ping(f"{n:0120d}") for n in range(1_000)]
        client.send("these were all")
        assert pinged.wait(20)
        assert waiting == [0]
        reader = threading.Thread(target=lambda: list(client), daemon=True)
        reader.start()
        assert pongs[-1].wait(20)
        client.close()
        reader.join(20)


def test_a_close_that_comes_with_a_ping_is_answered() -> None:
    """Also when what was sent before is still on its way."""
    full = threading.Event()

    async def handler(websocket: WebSocket) -> None:
        await send_until_held(websocket)
        full.set()
        with suppress(WebSocketDisconnect):
            await websocket.receive_text()

    with serving(handler) as url, connect(url, max_queue=1, ping_interval=None) as client:
        assert full.wait(20)
        frames = [Frame(Opcode.PING, b"are you there"), Frame(Opcode.CLOSE, b"\x03\xe8")]
        client.socket.sendall(b"".join(frame.serialize(mask=True) for frame in frames))
        for _ in client:
            pass
        assert client.close_code == 1000


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


def test_nothing_is_kept_of_those_who_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LINGER_S", 3_600.0)
    connections: list[weakref.ref[WebSocketProtocol]] = []

    async def handler(websocket: WebSocket) -> None:
        write = websocket.scope["extensions"][TEXTS]["write"]
        connections.append(weakref.ref(write.__self__))
        del write
        with suppress(WebSocketDisconnect):
            await websocket.receive_text()

    with serving(handler) as url:
        for _ in range(20):
            with connect(url):
                pass
        give_up_at = time.monotonic() + 20
        while any(connection() for connection in connections):
            assert time.monotonic() < give_up_at
            gc.collect()
            time.sleep(0.05)
    assert len(connections) == 20


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
