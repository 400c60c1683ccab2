"""One trace from the caller's request through the queue to Suna."""

import io
import json
import logging
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog
from pydantic import SecretStr

from app.core.logging import configure_logging
from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.endpoints.people import DRAFT, OUTLINE, Json, Person, checked, signed_in, until
from tests.ports import a_free_port
from tests.serving import serving, settings_for
from tests.tracing.collector import Collector, collecting

NewDatabase = Callable[[], str]


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def traceparent(trace_id: str, *, sampled: bool = True) -> str:
    return f"00-{trace_id}-{secrets.token_hex(8)}-0{int(sampled)}"


def suna_calls(sandbox: RunningSandbox) -> list[dict[str, str | None]]:
    """Those that run agents."""
    ours = ("/v1/agent/", "/v1/agent-run/", "/v1/threads/")
    calls = [c for c in sandbox.calls() if str(c["path"]).startswith(ours)]
    assert calls
    return calls


def run(url: str, **headers: str) -> Json:
    """A team of two runs to its end; only the request that starts it has the headers."""
    with signed_in(url, constants.ANA_EMAIL) as http:
        ana = Person(http)
        team = ana.team({"agent_id": OUTLINE}, {"agent_id": DRAFT})
        body = {"input_data": {"prompt": "Sell traced oats"}}
        answer = http.post(f"teams/{team['id']}/execute", json=body, headers=headers)
        return ana.wait(checked(answer, 202)["execution_id"])


def test_the_callers_trace_goes_on_through_the_job_to_suna(
    sandbox: RunningSandbox, collector: Collector, new_database: NewDatabase
) -> None:
    settings = settings_for(
        sandbox,
        new_database(),
        otel_exporter_otlp_endpoint=collector.url,
        otel_exporter_otlp_headers=SecretStr("x-tenant=blue%20one"),
        otel_service_name="renum-here",
    )
    trace_id = secrets.token_hex(16)
    given = traceparent(trace_id)
    with serving(settings) as url:
        execution = run(url, traceparent=given, tracestate="acme=1")
    spans = collector.of(trace_id)
    ids = {s.span_id: s for s in spans}

    [request] = [s for s in spans if s.kind == "server"]
    assert request.name == "POST /api/v1/teams/{team_id}/execute"
    assert request.parent_id == given.split("-")[2]
    assert request.resource["service.name"] == "renum-here"
    [job] = [s for s in spans if s.name == "drive execution"]
    assert job.parent_id == request.span_id
    assert job.attributes["renum.execution_id"] == execution["execution_id"]
    attempts = [s for s in spans if s.name == "run agent"]
    assert {s.attributes["renum.agent_key"] for s in attempts} == {"agent_1", "agent_2"}
    assert {s.parent_id for s in attempts} == {job.span_id}

    calls = suna_calls(sandbox)
    assert len([c for c in calls if c["method"] == "POST"]) == 2
    for call in calls:
        assert call["traceparent"] is not None
        _, seen_trace, parent, flags = call["traceparent"].split("-")
        assert (seen_trace, flags, call["tracestate"]) == (trace_id, "01", "acme=1")
        assert ids[parent].kind == "client"
        assert ids[ids[parent].parent_id].name == "run agent"
    assert {h["x-tenant"] for h in collector.headers} == {"blue one"}
    # Every other request began a trace of its own.
    assert len({s.trace_id for s in collector.spans if s.kind == "server"}) > 1
    assert not any(s.attributes.get("url.path") == "/health" for s in collector.spans)


def test_another_process_goes_on_with_the_trace(
    sandbox: RunningSandbox, collector: Collector, new_database: NewDatabase
) -> None:
    settings = settings_for(sandbox, new_database(), otel_exporter_otlp_endpoint=collector.url)
    with serving(settings, worker=False) as url, serving(settings):
        run(url)
    [job] = collector.named("drive execution")
    [request] = [s for s in collector.of(job.trace_id) if s.kind == "server"]
    assert job.parent_id == request.span_id
    assert job.resource["service.instance.id"] != request.resource["service.instance.id"]
    assert {(c["traceparent"] or "").split("-")[1] for c in suna_calls(sandbox)} == {job.trace_id}


def test_what_is_cancelled_is_stopped_in_the_same_trace(
    sandbox: RunningSandbox, collector: Collector, new_database: NewDatabase
) -> None:
    settings = settings_for(sandbox, new_database(), otel_exporter_otlp_endpoint=collector.url)
    with serving(settings) as url, signed_in(url, constants.ANA_EMAIL) as http:
        ana = Person(http)
        running = ana.running(ana.team())
        # Earlier, the run may not have been started yet, and is looked for instead.
        until(lambda: [c for c in sandbox.calls() if str(c["path"]).endswith("/stream")])
        checked(ana.cancel(running["execution_id"]), 200)
        ana.wait(
            running["execution_id"],
            lambda e: all(r["remote_stop"] == "confirmed" for r in e["results"]),
        )
    [stop] = collector.named("stop runs")
    [drive] = collector.named("drive execution")
    assert (stop.trace_id, stop.parent_id) == (drive.trace_id, drive.parent_id)
    assert any(s.parent_id == stop.span_id and s.kind == "client" for s in collector.spans)


def test_who_does_not_want_a_trace_gets_none_and_is_named_to_suna(
    sandbox: RunningSandbox, collector: Collector, new_database: NewDatabase
) -> None:
    settings = settings_for(sandbox, new_database(), otel_exporter_otlp_endpoint=collector.url)
    trace_id = secrets.token_hex(16)
    with serving(settings) as url:
        run(url, traceparent=traceparent(trace_id, sampled=False))
    assert collector.of(trace_id) == []
    for call in suna_calls(sandbox):
        _, seen, _, flags = (call["traceparent"] or "").split("-")
        assert (seen, flags) == (trace_id, "00")


def test_a_share_of_traces_is_kept(
    sandbox: RunningSandbox, collector: Collector, new_database: NewDatabase
) -> None:
    settings = settings_for(
        sandbox,
        new_database(),
        otel_exporter_otlp_endpoint=collector.url,
        otel_traces_sampler_arg=0.0,
    )
    with serving(settings) as url:
        run(url)
    assert collector.spans == []


def test_spans_hold_no_secret(
    sandbox: RunningSandbox, collector: Collector, new_database: NewDatabase
) -> None:
    settings = settings_for(sandbox, new_database(), otel_exporter_otlp_endpoint=collector.url)
    with serving(settings) as url, signed_in(url, constants.ANA_EMAIL) as http:
        token = http.headers["authorization"].removeprefix("Bearer ")
        http.get("teams", params={"token": token})
        http.get("teams", params={"search": token})
    told = repr(collector.spans)
    assert "url.query" in told
    for secret in (token, constants.DEMO_PASSWORD, settings.suna_api_key.get_secret_value()):
        assert secret not in told


def test_without_an_endpoint_nothing_is_traced(
    sandbox: RunningSandbox, new_database: NewDatabase
) -> None:
    with serving(settings_for(sandbox, new_database())) as url:
        run(url, traceparent=traceparent(secrets.token_hex(16)))
    assert {c["traceparent"] for c in suna_calls(sandbox)} == {None}


def test_a_collector_that_is_away_stops_nobody(
    sandbox: RunningSandbox, new_database: NewDatabase
) -> None:
    nobody = f"http://127.0.0.1:{a_free_port()}"
    settings = settings_for(sandbox, new_database(), otel_exporter_otlp_endpoint=nobody)
    # `serving` waits 20 s for the server to end, and fails then.
    with serving(settings) as url:
        assert run(url)["status"] == "completed"


def test_traces_without_their_extra_are_a_mistake_that_is_named() -> None:
    program = """
import sys
sys.modules["opentelemetry.sdk"] = None  # as if it was not installed
from app.core.settings import ConfigurationError, Settings
from app.core.tracing import Tracing
try:
    Tracing.of(Settings(_env_file=None, otel_exporter_otlp_endpoint="http://127.0.0.1:4318"))
except ConfigurationError as error:
    print(error)
"""
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "install renum-api[otel]" in said.stdout


# ---- what the log says meanwhile -----------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    out = io.StringIO()
    configure_logging("INFO", for_people=False, stream=out)
    yield out
    root.handlers, root.level = before
    structlog.reset_defaults()


def test_every_line_names_its_request_user_execution_and_trace(
    log: io.StringIO, sandbox: RunningSandbox, collector: Collector, new_database: NewDatabase
) -> None:
    sandbox.fault("messages", "500", times=1)
    settings = settings_for(sandbox, new_database(), otel_exporter_otlp_endpoint=collector.url)
    with serving(settings) as url:
        execution = run(url, **{"X-Request-ID": "asked-1"})
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    ours = [x for x in lines if x["logger"].startswith("app.")]
    execution_id = execution["execution_id"]
    [request] = [x for x in ours if x.get("request_id") == "asked-1"]
    assert request["execution_id"] == execution_id
    of_job = [x for x in ours if x.get("request_id") == f"renum-{execution_id}"]
    assert "suna refused" in {x["event"] for x in of_job}
    for line in of_job:
        assert line["user_id"] == request["user_id"] == constants.ANA_ID
        assert line["execution_id"] == execution_id
        assert line["trace_id"] == request["trace_id"]
    [look, *_] = [x for x in ours if x.get("route") == "/api/v1/executions/{execution_id}"]
    assert (look["execution_id"], look["user_id"]) == (execution_id, constants.ANA_ID)
