"""What happens around every request. Plain ASGI: no task, no buffering, no copy of the body."""

import re
import time

import structlog
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid4

from app.api.errors import answer
from app.api.kinds import BodyTooLarge, internal_error
from app.api.live.sockets import LiveSockets
from app.core.metrics import UNMATCHED, Metrics
from app.core.settings import Settings
from app.domain.rates import Allowance

MAX_BODY_BYTES = 1024 * 1024
REQUEST_ID = "X-Request-ID"

Headers = list[tuple[bytes, bytes]]

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TOO_LARGE = "The body is larger than 1 MiB."

# Headers as ASGI has them: names in lower case, all in bytes.
_REQUEST_ID = REQUEST_ID.lower().encode()
_POLICY = b"content-security-policy"
#: Of every answer (OWASP: REST Security, HTTP Headers).
_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
_HTTPS_ONLY = [(b"strict-transport-security", b"max-age=63072000")]
#: Of answers that are no page: opened in a browser all the same, they load and run nothing.
_NOTHING_TO_SHOW = (_POLICY, b"default-src 'none'; frame-ancestors 'none'")
_NOT_STORED = (b"cache-control", b"no-store")

_log = structlog.get_logger(__name__)


def middleware(settings: Settings, metrics: Metrics) -> list[Middleware]:
    """From the outside in: every answer has an id, then CORS headers, also a 500."""
    return [
        Middleware(
            RequestContext,
            metrics,
            api_prefix=settings.api_prefix,
            # Browsers believe it over https only.
            https_only=not settings.in_development,
        ),
        Middleware(LiveSockets, path=f"{settings.api_prefix}/ws"),
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=[
                "Authorization",
                "Idempotency-Key",
                "If-Match",
                "If-None-Match",
                "Last-Event-ID",
                REQUEST_ID,
            ],
            expose_headers=[
                REQUEST_ID,
                "ETag",
                "Idempotency-Replayed",
                "Location",
                "RateLimit",
                "RateLimit-Policy",
                "Retry-After",
            ],
        ),
        Middleware(Guard),
    ]


class RequestContext:
    """Gives the request an id, its answer the headers all answers have, and the log a line; counts
    it."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, api_prefix: str, *, https_only: bool
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._api_prefix = f"{api_prefix}/"
        self._private_path = f"{api_prefix}/auth"
        self._safe = [*_SAFE, *(_HTTPS_ONLY if https_only else ())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = _header(scope, _REQUEST_ID)
        request_id = given if _ACCEPTED_ID.fullmatch(given) else str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return

        status, streams_at = 0, None
        started_at = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status, streams_at
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (_REQUEST_ID, request_id.encode()), *self._safe]
                said = dict(message["headers"])
                if _POLICY not in said:
                    headers.append(_NOTHING_TO_SHOW)
                if allowance := scope["state"].get("allowance"):
                    headers += _told(allowance)
                if scope["path"].startswith(self._private_path):
                    headers.append(_NOT_STORED)
                message["headers"] = headers
                if said.get(b"content-type", b"").startswith(b"text/event-stream"):
                    streams_at = time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            ended_at = time.perf_counter()
            route = self._template(scope)
            # An event stream ends when its reader leaves, which says nothing of us.
            took_s = (streams_at or ended_at) - started_at
            self._metrics.answered(scope["method"], route or UNMATCHED, status, took_s)
            if not scope["path"].startswith("/health"):
                _log.info(
                    "request",
                    method=scope["method"],
                    # The template, so that lines group; only unknown paths are logged as sent.
                    route=route or scope["path"][:200],
                    status=status,
                    duration_ms=round((ended_at - started_at) * 1000, 1),
                )

    def _template(self, scope: Scope) -> str | None:
        """Of the path that was asked for; None when nothing is there."""
        template: str | None = getattr(scope.get("route"), "path", None)
        # The route of an included router does not know what it was included below.
        if template is not None and scope["path"].startswith(self._api_prefix):
            return self._api_prefix.removesuffix("/") + template
        return template


def _header(scope: Scope, name: bytes) -> str:
    """Of a request; empty without. Starlette would make an object of them, and an exception."""
    for given, value in scope["headers"]:
        if given == name:
            text: str = value.decode("latin-1")
            return text
    return ""


def _told(allowance: Allowance) -> Headers:
    """draft-ietf-httpapi-ratelimit-headers-10, §3 and §4."""
    policy = f'"{allowance.policy}";q={allowance.quota};w={allowance.window_s}'
    left = f'"{allowance.policy}";r={allowance.remaining};t={allowance.reset_s}'
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]


class Guard:
    """
    Refuses bodies over the limit, and answers 500 for whatever nobody else has caught.

    FastAPI's own `max_body_size` answers in plain text, from outside of every middleware: with
    neither a problem document nor a request id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _header(scope, b"content-length")
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            await answer(Request(scope), BodyTooLarge(_TOO_LARGE))(scope, receive, send)
            return

        received = 0
        started = False

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413)
            return message

        async def send_noticing(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive_within_limit, send_noticing)
        except Exception:
            _log.exception("unhandled error")
            if started:  # too late for another answer: the server cuts the connection
                raise
            await answer(Request(scope), internal_error())(scope, receive, send)
