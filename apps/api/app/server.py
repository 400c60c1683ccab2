"""The processes that `renum-api` starts: an HTTP server, or a worker without one."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI

from app import lean  # noqa: F401  before what it keeps out
from app.bootstrap import bootstrap
from app.core.garbage import settle
from app.core.settings import ConfigurationError, Settings
from app.core.telemetry import Telemetry
from app.infra.websocket.wire import WebSocketProtocol
from app.main import create_app
from app.worker import run_worker

#: Requests may end, jobs are handed back, sockets are closed: together below ten seconds.
GRACE_S = 8
WS_MAX_BYTES = 65_536
#: Longer than load balancers keep a connection: the side that closes first must be theirs.
KEEP_ALIVE_S = 75
PING_S = 20


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken port is known before anything is started."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            [f"cannot listen on {host}:{port} ({error.strerror}): choose another --port"]
        ) from error
    return bound


def url_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    settings: Settings,
    bound: socket.socket,
    *,
    api: bool = True,
    worker: bool = True,
    greeting: str = "",
) -> None:
    """
    Serve the API, or without *api* only health and metrics, until a signal ends it. Blocks.

    Prints one line to standard output when it answers, for whoever started it.
    """
    ready_line = f"renum-api ready {url_of(bound)}"
    app = create_app(settings, api=api, worker=worker)
    server = Server(app, on_ready=lambda: _say(ready_line, greeting))
    server.run(sockets=[bound])
    if not server.started:
        sys.exit(1)


def work(settings: Settings) -> None:
    """Run executions, and listen to nobody, until a signal ends it. Blocks."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner, suppress(asyncio.CancelledError):
        runner.run(_work(settings))


async def _work(settings: Settings) -> None:
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None  # noqa: S101  inside a coroutine there is one
    # Cancelled, not interrupted anywhere: the worker hands its jobs back.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, this.cancel)
    telemetry = Telemetry.of(settings)
    try:
        async with bootstrap(settings, telemetry) as services:
            settle()
            await run_worker(settings, services, telemetry.tracing)
    finally:
        await asyncio.to_thread(telemetry.tracing.close)


class Server(uvicorn.Server):
    """uvicorn as we run it."""

    def __init__(
        self, app: FastAPI, *, on_ready: Callable[[], None], grace_s: int = GRACE_S
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                # Without deflate: a third of the memory of a socket (measured).
                ws=WebSocketProtocol,
                ws_per_message_deflate=False,
                ws_max_size=WS_MAX_BYTES,
                ws_ping_interval=PING_S,
                ws_ping_timeout=PING_S,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                # We read X-Forwarded-For ourselves: uvicorn would believe any local process.
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=grace_s,
            )
        )
        self._app = app
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            settle()
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A stream over HTTP would go on for as long as it is allowed to.
        self._app.state.services.live.close()
        await super().shutdown(sockets)


def _say(ready_line: str, greeting: str) -> None:
    sys.stderr.write(greeting)
    sys.stdout.write(f"{ready_line}\n")
    sys.stdout.flush()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]
