"""What Prometheus reads."""

from pathlib import Path

import httpx2
import yaml
from prometheus_client.parser import text_string_to_metric_families


async def test_an_operator_sees_queue_repairs_and_breakers(api: httpx2.AsyncClient) -> None:
    answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (s.name, *sorted(s.labels.values())): s.value
        for family in text_string_to_metric_families(answer.text)
        for s in family.samples
    }
    assert samples["renum_database_up",] == 1
    assert samples["renum_workers",] >= 0
    assert samples["renum_queue_age_seconds",] >= 0
    assert samples["renum_executions_repaired",] >= 0
    for kind in ("no_job", "not_promoted", "no_stop_job"):
        assert ("renum_executions_stuck", kind) in samples
    for state in ("pending", "running"):
        assert ("renum_queue_jobs", state) in samples
    for upstream in ("suna", "supabase"):
        open_, closed = (samples["renum_breaker", state, upstream] for state in ("open", "closed"))
        assert (open_, closed) == (0, 1)


async def test_the_chart_scales_workers_by_a_number_that_there_is(api: httpx2.AsyncClient) -> None:
    values = Path(__file__).parents[4] / "deploy" / "helm" / "renum" / "values.yaml"
    named = yaml.safe_load(values.read_text())["worker"]["autoscaling"]["metric"]
    assert f"\n{named} " in (await api.get("/metrics")).text
