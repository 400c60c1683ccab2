"""
Logs: one line an event on stderr, JSON for machines or columns for people.

Everything goes through here, also what libraries write with `logging`, and nothing leaves with
a secret in it: the last step before a line is rendered takes them out, by name and by look.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"

_SECRET_NAMES = re.compile(
    r"authorization|api[-_]?key|passw|token|secret|cookie|credential", re.IGNORECASE
)
_SECRET_LOOKS = (
    # A JWT, whole or cut off.
    (re.compile(r"eyJ[\w-]{8,}(\.[\w-]*){0,2}"), REDACTED),
    # Keys of Supabase, of Suna, and our own.
    (re.compile(r"\b(sb_secret|sk|rk)_[\w-]+"), REDACTED),
    (re.compile(r"\bwhsec_[\w+/=-]+"), REDACTED),
    # In an address, where old front ends put it.
    (re.compile(r"([?&](?:access_|refresh_)?token=)[^&\s\"']+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\bBearer\s+[\w.~+/=-]+", re.IGNORECASE), f"Bearer {REDACTED}"),
    # The password of postgresql://user:password@host
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{REDACTED}@"),
    # ... and of host=... password=...
    (re.compile(r"(password=)('[^']*'|[^\s&]+)", re.IGNORECASE), rf"\1{REDACTED}"),
)
#: Any of them: nearly no text has one, and to ask once takes a third as long as seven times.
_SECRET_LOOK = re.compile(
    "|".join(
        f"(?i:{look.pattern})" if look.flags & re.IGNORECASE else f"(?:{look.pattern})"
        for look, _ in _SECRET_LOOKS
    )
)
_DEEP_ENOUGH = 6

#: Their INFO tells of every job and every statement.
_CHATTY = ("procrastinate", "psycopg.pool", "asyncio", "alembic")


def configure_logging(level: str, *, for_people: bool, stream: TextIO | None = None) -> None:
    """Set up `structlog` and `logging` for this process; the last call counts."""
    output = stream or sys.stderr
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _trace,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        _timestamps(for_people=for_people),
    ]
    render: Processor = (
        # Its own traceback shows local variables, where the secrets are.
        structlog.dev.ConsoleRenderer(
            colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if for_people
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    # It warns of what a statement's error does to its pipeline; whoever sent it is told the error.
    logging.getLogger("psycopg").setLevel(max(root.level, logging.ERROR))
    # At DEBUG it writes every frame and every header of a WebSocket.
    logging.getLogger("uvicorn.error").setLevel(max(root.level, logging.INFO))
    # Our middleware writes the access log, with the route instead of the path.
    logging.getLogger("uvicorn.access").disabled = True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Where a line belongs to a span, by the names of OpenTelemetry's log format."""
    context = get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format_trace_id(context.trace_id)
        event["span_id"] = format_span_id(context.span_id)
    return event


def _timestamps(*, for_people: bool) -> Processor:
    if for_people:
        return structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    return structlog.processors.TimeStamper(fmt="iso", utc=True)


def redacted(text: str) -> str:
    """A text without what looks like a secret."""
    if not _SECRET_LOOK.search(text):
        return text
    for look, instead in _SECRET_LOOKS:
        text = look.sub(instead, text)
    return text


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> Mapping[str, Any]:
    """A processor of structlog: the event without its secrets, wherever they hide."""
    return _mapping(event, _DEEP_ENOUGH)


def _mapping(values: MutableMapping[str, Any] | Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {
        key: REDACTED
        if isinstance(value, str | bytes) and _SECRET_NAMES.search(str(key))
        else _clean(value, depth)
        for key, value in values.items()
    }


def _clean(value: object, depth: int) -> object:
    if isinstance(value, str):
        return redacted(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return "..."
    if isinstance(value, Mapping):
        return _mapping(value, depth - 1)
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth - 1) for item in value]
    # Anything else would be rendered by its repr, unseen.
    return _clean(repr(value), depth - 1)
