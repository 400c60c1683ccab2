"""
Traces, in OpenTelemetry's words: one from a request through the job that it left behind to the
calls of Suna.

Off without an endpoint to send them to: nothing is made, kept or sent then. Nothing here is
global; who starts a process makes one `Tracing` and hands it on.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType

import aiohttp
from fastapi.telemetry import TelemetryConfig
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from app import __version__
from app.core.settings import ConfigurationError, Settings

#: Asked all the time, by machines, and never of interest.
_UNTRACED = ("/health", "/metrics")
#: W3C Trace Context §3.3.1.5: vendors keep at least so many characters of `tracestate`.
_MAX_STATE = 512

_context = TraceContextTextMapPropagator()


class Tracing:
    """What a process does with traces; with no provider, nothing."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer: Tracer | None = None
        if provider is not None:
            self._tracer = provider.get_tracer("renum", __version__)

    @classmethod
    def of(cls, settings: Settings) -> "Tracing":
        """
        As the settings say. Makes no request yet.

        Raises ConfigurationError when traces are asked for and OpenTelemetry is not installed.
        """
        if not settings.otel_exporter_otlp_endpoint:
            return cls()
        return cls(_otlp().tracer_provider(settings))

    @staticmethod
    def headers_of(settings: Settings) -> dict[str, str]:
        """What the collector is sent beside spans. Raises ConfigurationError as `of` does."""
        headers: dict[str, str] = _otlp().headers_of(settings)
        return headers

    def of_requests(self) -> TelemetryConfig:
        """For FastAPI, which makes a span of each request, below the caller's `traceparent`."""
        return {
            "tracer_provider": self._provider,
            "tracing": self._provider is not None,
            # Ours are Prometheus' and JSON lines.
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": _is_untraced,
        }

    def of_calls(self) -> list[aiohttp.TraceConfig]:
        """For an aiohttp session: a span of each request, whose `traceparent` goes with it."""
        if self._provider is None:
            return []
        from opentelemetry.instrumentation.aiohttp_client import create_trace_config

        return [create_trace_config(tracer_provider=self._provider)]

    def context(self) -> dict[str, str] | None:
        """The trace that goes on right now, to be stored with work that is done later."""
        if self._provider is None:
            return None
        carrier: dict[str, str] = {}
        _context.inject(carrier)
        if len(carrier.get("tracestate", "")) > _MAX_STATE:
            del carrier["tracestate"]
        return carrier or None

    def span(
        self,
        name: str,
        attributes: Mapping[str, str | int],
        *,
        context: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[None]:
        """A span of our own work: below the current one, or in a trace that was stored."""
        if self._tracer is None:
            return nullcontext()
        below = None if context is None else _context.extract(context, Context())
        return _span(self._tracer, name, attributes, below)

    def close(self) -> None:
        """Send what is left. Blocks for seconds when the collector is away."""
        shutdown = getattr(self._provider, "shutdown", None)
        if shutdown is not None:
            shutdown()


def _otlp() -> ModuleType:
    try:
        from app.core import otlp
    except ImportError as error:
        raise ConfigurationError(
            [
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, and what traces need is not installed: "
                "install renum-api[otel]"
            ]
        ) from error
    return otlp


@contextmanager
def _span(
    tracer: Tracer, name: str, attributes: Mapping[str, str | int], below: Context | None
) -> Iterator[None]:
    with tracer.start_as_current_span(
        name,
        context=below,
        kind=SpanKind.INTERNAL if below is None else SpanKind.CONSUMER,
        attributes=attributes,
        # Texts of exceptions may quote what users wrote.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


def _is_untraced(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(_UNTRACED)
