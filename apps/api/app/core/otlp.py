"""Sends spans to a collector over OTLP/HTTP; needs the extra `otel`."""

from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.util.re import parse_env_headers

from app import __version__
from app.core.logging import redacted
from app.core.settings import Settings

#: For one request, its tries together: a collector that is away must not hold up a stop.
_EXPORT_S = 3.0
#: Where an address may hold what callers put into it.
_ADDRESSES = ("url.query", "url.full", "http.url", "http.target")


class _Redaction(SpanProcessor):
    """The rules of logs hold for spans too."""

    def on_start(
        self,
        span: Span,
        parent_context: Context | None = None,  # noqa: ARG002  the SDK's signature
    ) -> None:
        for name in _ADDRESSES:
            value = (span.attributes or {}).get(name)
            if isinstance(value, str):
                span.set_attribute(name, redacted(value))


def headers_of(settings: Settings) -> dict[str, str]:
    """What goes with each request to the collector."""
    given = settings.otel_exporter_otlp_headers.get_secret_value()
    return dict(parse_env_headers(given, liberal=True)) if given else {}


def tracer_provider(settings: Settings) -> TracerProvider:
    """
    Spans in batches to `OTEL_EXPORTER_OTLP_ENDPOINT`; a batch that cannot be sent is dropped.

    What else OpenTelemetry's SDK reads from the environment holds: resource attributes, batches,
    certificates.
    """
    provider = TracerProvider(
        # Whoever calls decides for its trace; of traces that begin here, so many are kept.
        sampler=ParentBased(TraceIdRatioBased(settings.otel_traces_sampler_arg)),
        resource=Resource.create(
            {
                "service.name": settings.otel_service_name,
                "service.version": __version__,
                "service.instance.id": str(uuid4()),
            }
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(_Redaction())
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otel_exporter_otlp_endpoint}/v1/traces",
        headers=headers_of(settings),
        timeout=_EXPORT_S,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
