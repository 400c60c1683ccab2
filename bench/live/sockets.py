"""Raw WebSocket clients on uvloop: cheaper than any server, so that they are not the wall."""

import asyncio
import time
from dataclasses import dataclass, field

_EVENT = b'{"type":"team_updated","id":'
_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


@dataclass
class Tally:
    """What all sockets have received."""

    events: int = 0
    #: Of the sockets that measure, in nanoseconds.
    latencies: list[int] = field(default_factory=list)
    gaps: int = 0
    closed: dict[int, int] = field(default_factory=dict)
    wanted: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def expect(self, more: int) -> None:
        self.wanted = self.events + more
        self.reached.clear()


class Socket(asyncio.Protocol):
    """One socket. Answers pings, counts events, and keeps the last id."""

    def __init__(self, tally: Tally, handshake: bytes, *, measures: bool, ids: bool) -> None:
        self._tally, self._handshake = tally, handshake
        self._measures, self._ids = measures, ids
        self._rest = b""
        self._upgraded = False
        self.last_id = 0
        self.close_code: int | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.transport.write(self._handshake)

    def sleep(self) -> None:
        """Take nothing more."""
        self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("closed"))
        code = self.close_code or 1006
        self._tally.closed[code] = self._tally.closed.get(code, 0) + 1
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at = 0
        if not self._upgraded:
            head, found, _ = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = data
                return
            if b" 101 " not in head[:20]:
                self.opened.set_exception(ConnectionError(head[:80].decode()))
                return
            self._upgraded, at = True, len(head) + 4
            self.opened.set_result(None)
        end, events = len(data), 0
        while end - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if end - start < length or start > end:
                break
            opcode = data[at] & 15
            if opcode == 1:
                events += self._text(data, start)
            elif opcode == 9:
                self.transport.write(_pong(data, start, length))
            elif opcode == 8:
                self.close_code = int.from_bytes(data[start : start + 2], "big")
                self.transport.write(b"\x88\x82\0\0\0\0" + data[start : start + 2])
            at = start + length
        self._rest = data[at:] if at < end else b""
        if events:
            tally = self._tally
            tally.events += events
            if tally.events >= tally.wanted:
                tally.reached.set()

    def _text(self, data: bytes, start: int) -> int:
        if not data.startswith(_EVENT, start):
            return 0
        if self._ids:
            digits = start + len(_EVENT)
            event_id = int(data[digits : data.index(b",", digits)])
            if self.last_id and event_id != self.last_id + 1:
                self._tally.gaps += 1
            self.last_id = event_id
        if self._measures:
            name = data.index(b'"name":"', start) + 8
            self._tally.latencies.append(time.monotonic_ns() - int(data[name : name + 20]))
        return 1


def _pong(data: bytes, start: int, length: int) -> bytes:
    return bytes([0x8A, 0x80 | length]) + b"\0\0\0\0" + data[start : start + length]


async def connect(
    port: int,
    path: str,
    tally: Tally,
    *,
    token: str,
    measures: bool,
    ids: bool,
    last_id: int = 0,
) -> Socket:
    """An open socket; with *ids* it looks for gaps in them, from *last_id* on."""
    more = f"Authorization: Bearer {token}\r\n" if token else ""
    handshake = _HANDSHAKE.format(path=path, more=more).encode()
    loop = asyncio.get_running_loop()
    _, opened = await loop.create_connection(
        lambda: Socket(tally, handshake, measures=measures, ids=ids), "127.0.0.1", port
    )
    opened.last_id = last_id
    await opened.opened
    return opened
