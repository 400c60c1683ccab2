"""Sends one request again and again over so many connections, and takes the time of each answer."""

import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import uvloop

_WARM_UP_S = 0.5


@dataclass(frozen=True)
class Figures:
    """Of all answers; each was the expected status."""

    per_second: float
    p50_ms: float
    p99_ms: float


def ask(
    url: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    status: int = 200,
    connections: int = 1,
    seconds: float,
) -> Figures:
    """GET, or POST where there is a body of JSON. Raises RuntimeError for any other status."""
    place = urlsplit(url)
    method = "GET" if body is None else "POST"
    lines = [f"{method} {place.path} HTTP/1.1", f"Host: {place.netloc}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    request = "\r\n".join([*lines, "", ""]).encode() + (body or b"")

    async def all_connections() -> list[float]:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        open_ = [
            await loop.create_connection(
                lambda: _Connection(request, f"HTTP/1.1 {status} ".encode(), began, seconds),
                place.hostname,
                place.port,
            )
            for _ in range(connections)
        ]
        taken = await asyncio.gather(*(connection.done for _, connection in open_))
        return [one for each in taken for one in each]

    taken = sorted(uvloop.run(all_connections()))
    return Figures(
        per_second=len(taken) / seconds,
        p50_ms=statistics.median(taken) * 1000,
        p99_ms=taken[int(len(taken) * 0.99)] * 1000,
    )


class _Connection(asyncio.Protocol):
    """Knows of HTTP only what an answer with a Content-Length needs, so that it is cheap."""

    def __init__(self, request: bytes, wanted: bytes, began: float, seconds: float) -> None:
        self._request, self._wanted = request, wanted
        self._from = began + _WARM_UP_S
        self._until = self._from + seconds
        self._taken: list[float] = []
        self._answer = b""
        self.done: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, rest = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, length = head.lower().partition(b"content-length: ")
        if len(rest) < int(length.partition(b"\r\n")[0]):
            return
        if not head.startswith(self._wanted):
            self._end(RuntimeError(f"unexpected answer: {self._answer[:500]!r}"))
            return
        now = time.perf_counter()
        if self._sent > self._from:
            self._taken.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("the server hung up"))

    def _send(self) -> None:
        self._answer = b""
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(self._taken)
            else:
                self.done.set_exception(error)
            self._transport.close()
