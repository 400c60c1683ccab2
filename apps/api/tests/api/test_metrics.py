"""What Prometheus reads, of an API on which nobody has worked yet."""

from pathlib import Path

import httpx2
import yaml

from tests.samples import Samples


async def test_an_operator_sees_queue_repairs_and_breakers(api: httpx2.AsyncClient) -> None:
    answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    seen = Samples(answer.text)
    assert seen.value("renum_database_up") == 1
    assert seen.value("renum_workers") >= 0
    assert seen.value("renum_executions_repaired") >= 0
    for kind in ("no_job", "not_promoted", "no_stop_job"):
        assert seen.value("renum_executions_stuck", kind=kind) >= 0
    for queue in ("executions", "upkeep", "webhooks"):
        assert seen.value("renum_queue_oldest_due_job_age_seconds", queue=queue) >= 0
        for state in ("pending", "running"):
            assert seen.value("renum_queue_jobs", queue=queue, state=state) >= 0
    for upstream in ("suna", "supabase", "rate_limits"):
        for state, expected in (("closed", 1), ("open", 0)):
            assert seen.value("renum_breaker", upstream=upstream, renum_breaker=state) == expected


async def test_requests_are_counted_by_the_template_of_their_route(
    api: httpx2.AsyncClient,
) -> None:
    for path in ("/api/v1/teams/a", "/api/v1/teams/b", "/made/up", "/made/up/too"):
        await api.get(path)
    await api.request("BREW", "/health")
    seen = Samples((await api.get("/metrics")).text)
    requests = "renum_http_requests_total"
    teams = {"method": "GET", "route": "/api/v1/teams/{team_id}"}
    assert seen.value(requests, **teams, status="401") == 2
    assert seen.value("renum_http_request_duration_seconds_count", **teams) == 2
    assert seen.value(requests, method="GET", route="unmatched", status="404") == 2
    assert [s for s in seen.of(requests) if s["method"] not in ("GET", "other")] == []
    assert [s for s in seen.of(requests) if "made" in s["route"]] == []


async def test_the_chart_scales_workers_by_a_number_that_there_is(api: httpx2.AsyncClient) -> None:
    values = Path(__file__).parents[4] / "deploy" / "helm" / "renum" / "values.yaml"
    scaling = yaml.safe_load(values.read_text())["worker"]["autoscaling"]
    seen = Samples((await api.get("/metrics")).text)
    assert seen.value(scaling["metric"], **scaling["selector"]) >= 0
