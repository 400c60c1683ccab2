"""The HTTP server under the sandbox: where it listens, how it starts and how it ends."""

import ipaddress
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ABORT = "renum_sandbox.abort"
_PORT_FILE = "port"
_SHUTDOWN_S = 2


class NotLoopback(Exception):
    """The sandbox knows public passwords: it must not be reachable from another machine."""

    def __init__(self, host: str) -> None:
        super().__init__(f"the sandbox binds to loopback addresses only, not to {host!r}")


class _Protocol(HttpToolsProtocol):
    """Lets the application close a connection without an answer: an ASGI extension."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {_ABORT: self.transport.abort}
        self.scope["extensions"] = extensions


def abort_connection(scope: Scope) -> None:
    """
    Close the connection of a request at once; what was not sent is lost.

    Raises:
        RuntimeError: another server than this module's is at work, which cannot do that.
    """
    abort = scope.get("extensions", {}).get(_ABORT)
    if abort is None:
        raise RuntimeError("this fault needs the server of renum_sandbox.server")
    abort()


class _Server(uvicorn.Server):
    def __init__(self, app: FastAPI, ready_line: str | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="on",
                access_log=False,
                log_level="warning",
                timeout_keep_alive=75,  # longer than the clients' pools keep a connection
                timeout_graceful_shutdown=_SHUTDOWN_S,
            )
        )
        self._app = app
        self._ready_line = ready_line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._ready_line:
            sys.stdout.write(f"{self._ready_line}\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams and hanging answers end first: uvicorn would wait for them.
        self._app.state.sandbox.bell.close()
        await super().shutdown(sockets)


def make_server(app: FastAPI, *, ready_line: str | None = None) -> uvicorn.Server:
    """A server for `run([listen(...)])`; prints `ready_line` once it answers."""
    return _Server(app, ready_line)


def listen(host: str, port: int, data_dir: Path | None) -> socket.socket:
    """
    A bound socket on a loopback address.

    With port 0 the port of the last run on this data directory is taken again when it is
    free: the issuer in stored tokens and the address in clients' settings stay right.

    Raises:
        NotLoopback: `host` is reachable from outside.
        OSError: the port is taken.
    """
    _require_loopback(host)
    remembered = 0 if port else _remembered_port(data_dir)
    try:
        bound = _bind(host, port or remembered)
    except OSError:
        if not remembered:
            raise
        bound = _bind(host, 0)
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / _PORT_FILE).write_text(str(bound.getsockname()[1]))
    return bound


def url_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _require_loopback(host: str) -> None:
    if host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotLoopback(host)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _remembered_port(data_dir: Path | None) -> int:
    try:
        return int((data_dir / _PORT_FILE).read_text()) if data_dir else 0
    except (OSError, ValueError):
        return 0
