"""The test server in a thread, and a proxy that cuts lines."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn

from .routes import application
from .world import World

T = TypeVar("T")


class Server:
    """Serves any number of worlds on one port of the loopback."""

    def __init__(self, port: int, worlds: dict[str, World]) -> None:
        self.port = port
        self._worlds = worlds
        self._loop: asyncio.AbstractEventLoop | None = None

    def url(self, world: World, port: int | None = None) -> str:
        return f"http://127.0.0.1:{port or self.port}/{world.name}"

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a function in the server's thread, and wait for what it returns."""

        async def run() -> T:
            return function(*args, **kwargs)

        return self.wait(run())

    def wait(self, work: Awaitable[T]) -> T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def serve(self, server: uvicorn.Server, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        await server.serve([listener])

    @contextmanager
    def world(self) -> Iterator[World]:
        world = World()
        self._worlds[world.name] = world
        try:
            yield world
        finally:
            self.call(lambda: [task.cancel() for task in world.tasks])
            self.call(world.drop, 1000)
            del self._worlds[world.name]


@contextmanager
def running_server() -> Iterator[Server]:
    worlds: dict[str, World] = {}
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1], worlds)
    config = uvicorn.Config(
        application(worlds),
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    uvicorn_server = uvicorn.Server(config)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(uvicorn_server, listener)), daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        uvicorn_server.should_exit = True
        thread.join(10)
        listener.close()


class Proxy:
    """Passes bytes on to a port until told to cut the lines."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Start to listen, later on the same port again."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse new connections, and cut the present ones without a goodbye."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._writers -= {writer, far_writer}
        self._tasks.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
