"""
WebSockets on the wire: uvicorn's protocol, with one ASGI extension.

An event goes to every socket of its user in the same bytes. With the extension `TEXTS` the
application hands over all texts that wait: each is framed once for all sockets, and a socket's
frames leave in as few writes as its client keeps up with. It may also write without waiting, from
outside of the socket's own tasks: waking one of a thousand tasks costs as much as its write.
"""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from app.common.asgi import TEXTS

#: Bytes that one write holds, unless a single text is longer.
WRITE_BYTES = 64 * 1024
_CACHED_BYTES = 16 * 1024
#: That the system holds for a client; Linux doubles it.
SEND_BUFFER_BYTES = 64 * 1024
#: A client that takes nothing more is cut off so long after the end, in seconds.
LINGER_S = 10.0


def framed(text: bytes) -> bytes:
    """A whole text message as a server sends it (RFC 6455, §5.2)."""
    return _framed_once(text) if len(text) <= _CACHED_BYTES else _frame(text)


def _frame(text: bytes) -> bytes:
    return Frame(Opcode.TEXT, text).serialize(mask=False)


# By the text itself: the sockets of a user come for the same object one after the other.
_framed_once = lru_cache(maxsize=512)(_frame)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A connection; needs deflate to be off, as frames are made without regard to it."""

    _cut_off_timer: asyncio.TimerHandle | None = None
    #: The answer to the last ping that came while the client took nothing.
    _pong = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # What the system holds for a slow client is old by the time it is read, and was never
        # asked back: without this, up to 4 MB of it.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._cut_off_timer is not None:
            self._cut_off_timer.cancel()  # it would keep all that belongs to the connection

    async def run_asgi(self) -> None:
        self.scope["extensions"][TEXTS] = {"write": self.write}
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                # What the transport still holds is for a client that may never take it.
                self._cut_off_timer = self.loop.call_later(LINGER_S, self._cut_off)

    async def send(self, message: Any) -> None:  # noqa: ANN401  the extension is not in its types
        texts: Sequence[bytes] | None = message.get("texts")
        if texts is None:
            if message["type"] == "websocket.close":
                # Small and the last: it need not wait until a slow client has room.
                self.writable.set()
            await super().send(message)
            if message["type"] == "websocket.accept":
                del self.response  # it was sent, and nobody asks for it again
            return
        for piece in _pieces(texts):
            await self.writable.wait()
            if not self._is_open:
                raise ClientDisconnected
            self.transport.write(piece)

    def write(self, texts: Sequence[bytes]) -> bool:
        """Send texts without waiting; False, with nothing sent, to a client that does not keep up
        or is gone, and when they are more than one write holds."""
        if not (self.writable.is_set() and self._is_open):
            return False
        if len(texts) > 1 and sum(map(len, texts)) > WRITE_BYTES:
            return False
        for piece in _pieces(texts):
            self.transport.write(piece)
        return True

    def handle_ping(self) -> None:
        # Answers to pings come together with those to all else that was read at once.
        if self.close_sent:
            self.conn.data_to_send()  # nobody waits for an answer any more
        elif self.writable.is_set() or self.conn.state is not State.OPEN:
            super().handle_ping()
        elif pongs := self.conn.data_to_send():
            # Only the last needs an answer (RFC 6455, §5.5.3), and many would pile up without end.
            self._pong = pongs[-1]

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._pong and self._is_open:
            self.transport.write(self._pong)
        self._pong = b""

    @property
    def _is_open(self) -> bool:
        return self.conn.state is State.OPEN and not (self.disconnected or self.close_sent)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_off()  # who does not answer takes nothing either

    def _cut_off(self) -> None:
        if not self.disconnected:
            self.transport.abort()


def _pieces(texts: Sequence[bytes]) -> Iterator[bytes]:
    """Frames, joined up to the size of a write."""
    if len(texts) == 1:
        yield framed(texts[0])
        return
    frames: list[bytes] = []
    size = 0
    for text in texts:
        frame = framed(text)
        if frames and size + len(frame) > WRITE_BYTES:
            yield b"".join(frames)
            frames, size = [], 0
        frames.append(frame)
        size += len(frame)
    yield b"".join(frames)
