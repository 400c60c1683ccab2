"""A sandbox inside the test process, on a real port."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from renum_sandbox import constants
from renum_sandbox.app import create_sandbox
from renum_sandbox.openai import ChatModel
from renum_sandbox.server import listen, make_server, url_of

_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """`url` has no path: Suna's dialects and Supabase Auth are below it, see the README."""

    url: str
    suna_api_key: str = constants.SUNA_API_KEY
    publishable_key: str = constants.PUBLISHABLE_KEY
    secret_key: str = constants.SECRET_KEY

    def starts(self) -> list[dict[str, Any]]:
        """Every run that was started, oldest first; blocks for a few milliseconds."""
        found: list[dict[str, Any]] = self._call("GET", "/sandbox/starts")["starts"]
        return found

    def calls(self) -> list[dict[str, str | None]]:
        """
        The last 1,000 requests, oldest first: `method`, `path`, `request_id`, `traceparent`,
        `tracestate`.
        """
        found: list[dict[str, str | None]] = self._call("GET", "/sandbox/calls")["calls"]
        return found

    def fault(self, operation: str, fault: str, times: int = 1) -> None:
        """
        Break the next `times` calls of an operation; see `renum_sandbox.faults`.

        Raises:
            ValueError: the fault means nothing there.
        """
        body = {"operation": operation, "fault": fault, "times": times}
        self._call("POST", "/sandbox/faults", body)

    def script(self, text: str) -> None:
        """
        Plan faults in the language of `--script`; see `renum_sandbox.fault_script`.

        Raises:
            ValueError: a mistake in the script; nothing of it is planned then.
        """
        self._call("POST", "/sandbox/script", {"script": text})

    def clear_faults(self) -> None:
        self._call("DELETE", "/sandbox/faults")

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  the address is our own
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        # No proxy of the environment stands between two ends of one process.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_LIMIT_S) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(error.read().decode()) from error
        parsed: dict[str, Any] = json.loads(text or b"{}")
        return parsed


@contextmanager
def running_sandbox(
    data_dir: Path | None = None,
    speed: float = 0.0,
    *,
    port: int = 0,
    access_token_s: int = 3600,
    ping_s: float = 5.0,
    slow_s: float = 0.3,
    model: ChatModel | None = None,
    jwt_secret: str | None = None,
    script: str = "",
    clock: Callable[[], float] = time.time,
) -> Iterator[RunningSandbox]:
    """
    Serve a sandbox from a thread until the block ends; the arguments are `create_sandbox`'s.

    Raises:
        RuntimeError: it did not start; the reason is in its log.
    """
    with listen("127.0.0.1", port, data_dir) as bound:
        url = url_of(bound)
        app = create_sandbox(
            data_dir=data_dir,
            base_url=url,
            speed=speed,
            access_token_s=access_token_s,
            ping_s=ping_s,
            slow_s=slow_s,
            model=model,
            jwt_secret=jwt_secret,
            script=script,
            clock=clock,
        )
        server = make_server(app)

        def serve() -> None:
            with suppress(SystemExit):  # how uvicorn ends when the application cannot start
                server.run([bound])

        thread = threading.Thread(target=serve, name="sandbox", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield RunningSandbox(url)
        finally:
            server.should_exit = True
            thread.join(_LIMIT_S)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    give_up_at = time.monotonic() + _LIMIT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > give_up_at:
            raise RuntimeError("the sandbox did not start")
        time.sleep(0.005)
