"""The collector of traces, where one is set."""

import aiohttp

from app.core.settings import ConfigurationError, Settings
from app.core.tracing import Tracing
from app.doctor.findings import Finding, failed, ok, skipped

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_PROTOBUF = {"Content-Type": "application/x-protobuf"}


async def collector_findings(settings: Settings) -> list[Finding]:
    url = settings.otel_exporter_otlp_endpoint
    if not url:
        return [skipped("traces.collector", "OTEL_EXPORTER_OTLP_ENDPOINT is not set: no traces")]
    try:
        headers = Tracing.headers_of(settings)
    except ConfigurationError as error:
        return [failed("traces.collector", str(error), "pip install 'renum-api[otel]'")]
    try:
        # No bytes are a message without spans.
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(f"{url}/v1/traces", data=b"", headers=headers | _PROTOBUF) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        advice = "start it, or check OTEL_EXPORTER_OTLP_ENDPOINT; its port for HTTP is 4318"
        return [failed("traces.collector", f"{url}: no answer ({type(error).__name__})", advice)]
    if status in (401, 403):
        advice = "check OTEL_EXPORTER_OTLP_HEADERS"
        return [failed("traces.collector", f"it does not let us in ({status})", advice)]
    if status >= 300:
        advice = "set the root of a collector that takes OTLP over HTTP, without /v1/traces"
        return [failed("traces.collector", f"{url}/v1/traces answers {status}", advice)]
    return [ok("traces.collector", f"{url} takes traces")]
