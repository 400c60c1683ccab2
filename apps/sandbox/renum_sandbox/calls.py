"""The last requests that came in, with what callers name them by: for tests of tracing."""

from collections import deque

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

KEPT = 1000
Call = dict[str, str | None]


class RecordCalls:
    """Notes every request but those of `/sandbox` itself."""

    def __init__(self, app: ASGIApp, calls: deque[Call]) -> None:
        self._app = app
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/sandbox/"):
            headers = Headers(scope=scope)
            self._calls.append(
                {
                    "method": scope["method"],
                    "path": scope["path"],
                    "request_id": headers.get("x-request-id"),
                    "traceparent": headers.get("traceparent"),
                    "tracestate": headers.get("tracestate"),
                }
            )
        await self._app(scope, receive, send)
