"""
Poolers in front of PostgreSQL, as Supabase has them, as small as they can be.

They pass protocol 3.0 on and believe clients who they are. They listen on Unix sockets, which
have a port too: it is part of the file's name. So each test has its own 6543.
"""

import asyncio
import struct
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]

TRANSACTION_PORT = 6543
#: The same pooler under a port that says nothing.
UNKNOWN_PORT = 6432
SESSION_PORT = 5432

_VERSION_3, _CANCEL = 196608, 80877102
_ENCRYPTION = (80877103, 80877104)
#: What a client may set at its start; pgbouncer refuses others, which would be lost.
_STARTUP = {"user", "database", "application_name", "client_encoding", "DateStyle", "TimeZone"}
_LEFT = (asyncio.IncompleteReadError, ConnectionError)


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


async def read(reader: Reader) -> tuple[bytes, bytes]:
    kind, length = struct.unpack("!cI", await reader.readexactly(5))
    return kind, await reader.readexactly(length - 4)


async def read_untyped(reader: Reader) -> tuple[int, bytes]:
    """A client's first message: its code instead of a type."""
    length, code = struct.unpack("!II", await reader.readexactly(8))
    return code, await reader.readexactly(length - 8)


class Server:
    """A connection to PostgreSQL, lent to one client for one transaction at a time."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self.reader, self.writer = reader, writer
        self.key = b""
        self.parameters = b""

    @classmethod
    async def open(cls, path: Path, user: str, database: str) -> "Server":
        server = cls(*await asyncio.open_unix_connection(path))
        startup = f"user\0{user}\0database\0{database}\0\0".encode()
        server.writer.write(struct.pack("!II", len(startup) + 8, _VERSION_3) + startup)
        await server.until_ready()
        return server

    async def until_ready(self) -> None:
        kind = b""
        while kind != b"Z":
            kind, body = await read(self.reader)
            assert kind != b"E", body
            if kind == b"S":
                self.parameters += message(kind, body)
            elif kind == b"K":
                self.key = body

    async def discard(self) -> None:
        """Forget the session, so that what a client left behind is not found by luck."""
        self.writer.write(message(b"Q", b"DISCARD ALL\0"))
        await self.until_ready()


class Client:
    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.server: Server | None = None
        self.relay: asyncio.Task[None] | None = None
        #: ReadyForQuery that are still to come, and whether messages wait for their Sync.
        self.awaited = 0
        self.unsynced = False


class TransactionPooler:
    """
    Lends a server from a transaction's first message to the ReadyForQuery that says idle, and
    the one that has waited longest: the next transaction of a client meets another session.
    """

    def __init__(self, path: Path, user: str, database: str, *, servers: int) -> None:
        self._target = (path, user, database)
        self._size = servers
        self._servers: list[Server] = []
        self._idle = asyncio.Queue[Server]()
        self._clients: dict[int, Client] = {}
        self.clients = 0
        self.transactions = 0

    async def start(self) -> None:
        for _ in range(self._size):
            await self._add_server()

    async def stop(self) -> None:
        for server in self._servers:
            server.writer.close()

    @property
    def lent(self) -> int:
        """Servers that clients have right now."""
        return self._size - self._idle.qsize()

    async def _add_server(self) -> None:
        server = await Server.open(*self._target)
        self._servers.append(server)
        self._idle.put_nowait(server)

    async def handle(self, reader: Reader, writer: Writer) -> None:
        code, body = await read_untyped(reader)
        while code in _ENCRYPTION:
            writer.write(b"N")
            code, body = await read_untyped(reader)
        if code == _CANCEL:
            return await self._cancel(body)
        assert code == _VERSION_3, f"protocol {code}"
        names = {name.decode() for name in body.split(b"\0")[:-2:2]}
        if unknown := names - _STARTUP:
            text = f"SFATAL\0C08P01\0Munsupported startup parameter: {unknown}\0\0"
            writer.write(message(b"E", text.encode()))
            return None
        self.clients += 1
        number, client = self.clients, Client(writer)
        self._clients[number] = client
        server = await self._idle.get()
        self._idle.put_nowait(server)
        writer.write(
            message(b"R", struct.pack("!I", 0))
            + server.parameters
            + message(b"K", struct.pack("!II", number, number))
            + message(b"Z", b"I")
        )
        try:
            await self._pass_on(reader, client)
        finally:
            del self._clients[number]
            await self._take_back(client)

    async def _pass_on(self, reader: Reader, client: Client) -> None:
        while True:
            kind, body = await read(reader)
            if kind == b"X":
                return
            server = client.server
            if server is None:
                self.transactions += 1
                server = client.server = await self._idle.get()
                client.relay = asyncio.create_task(self._answer(client, server))
            if kind in (b"Q", b"S", b"F"):
                client.awaited += 1
                client.unsynced = False
            # A Flush too begins a transaction, as pgbouncer and Supavisor have it.
            elif kind not in (b"d", b"c", b"f"):  # COPY's have no Sync
                client.unsynced = True
            server.writer.write(message(kind, body))
            await server.writer.drain()

    async def _answer(self, client: Client, server: Server) -> None:
        """Pass answers back until the transaction is over, and with it the loan."""
        try:
            while True:
                kind, body = await read(server.reader)
                client.writer.write(message(kind, body))
                if kind == b"Z":
                    client.awaited -= 1
                    if body == b"I" and not client.awaited and not client.unsynced:
                        break
        except _LEFT:
            client.writer.close()
            return
        client.server = None
        await server.discard()
        self._idle.put_nowait(server)

    async def _take_back(self, client: Client) -> None:
        """A client that left in the middle of a transaction leaves a server nobody can use."""
        if client.server is not None and client.relay is not None:
            client.relay.cancel()
            client.server.writer.close()
            await self._add_server()

    async def _cancel(self, body: bytes) -> None:
        client = self._clients.get(struct.unpack("!II", body)[0])
        if client and client.server:
            _, writer = await asyncio.open_unix_connection(self._target[0])
            key = client.server.key
            writer.write(struct.pack("!II", len(key) + 8, _CANCEL) + key)
            writer.close()


@contextmanager
def transaction_pooler(
    url: str, *, servers: int = 2
) -> Iterator[tuple[TransactionPooler, Callable[[int], str]]]:
    """The pooler, and its URL at one of the ports TRANSACTION_PORT and UNKNOWN_PORT."""
    path, user, database = _target(url)
    pooler = TransactionPooler(path, user, database, servers=servers)
    ports = (TRANSACTION_PORT, UNKNOWN_PORT)
    with _listening(pooler.handle, ports, start=pooler.start, stop=pooler.stop) as folder:
        yield pooler, lambda port: f"postgresql://{user}@:{port}/{database}?host={folder}"


@contextmanager
def session_pooler(url: str) -> Iterator[str]:
    """The URL of a pooler that gives every client a server of its own."""
    path, user, database = _target(url)

    async def handle(reader: Reader, writer: Writer) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(path)
        answers = asyncio.create_task(_pump(server_reader, writer))
        try:
            await _pump(reader, server_writer)
        finally:
            server_writer.close()
            await answers

    with _listening(handle, (SESSION_PORT,)) as folder:
        yield f"postgresql://{user}@:{SESSION_PORT}/{database}?host={folder}"


async def _pump(reader: Reader, writer: Writer) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _target(url: str) -> tuple[Path, str, str]:
    given = conninfo_to_dict(url)
    return Path(str(given["host"]), ".s.PGSQL.5432"), str(given["user"]), str(given["dbname"])


async def _nothing() -> None:
    pass


@contextmanager
def _listening(
    handle: Handler,
    ports: tuple[int, ...],
    *,
    start: Callable[[], Awaitable[None]] = _nothing,
    stop: Callable[[], Awaitable[None]] = _nothing,
) -> Iterator[str]:
    """A directory with a socket for each port, served by a thread until the block ends."""
    running: Future[Callable[[], object]] = Future()

    async def guarded(reader: Reader, writer: Writer) -> None:
        try:
            with suppress(*_LEFT):
                await handle(reader, writer)
        finally:
            writer.close()

    async def serve(folder: str) -> None:
        over = asyncio.Event()
        await start()
        connections: set[asyncio.Task[None]] = set()
        listeners = [
            await asyncio.start_unix_server(
                lambda *streams: connections.add(asyncio.create_task(guarded(*streams))),
                Path(folder, f".s.PGSQL.{port}"),
            )
            for port in ports
        ]
        loop = asyncio.get_running_loop()
        running.set_result(lambda: loop.call_soon_threadsafe(over.set))
        await over.wait()
        for listener in listeners:
            listener.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await stop()

    with tempfile.TemporaryDirectory(prefix="renum-pool-") as folder:
        thread = threading.Thread(target=asyncio.run, args=(serve(folder),), daemon=True)
        thread.start()
        end = running.result(10)
        try:
            yield folder
        finally:
            end()
            thread.join(10)
