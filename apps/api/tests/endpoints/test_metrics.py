"""`/metrics` of processes at work."""

import json
from collections.abc import Callable, Iterator

import httpx2
import pytest

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import DRAFT, OUTLINE, Person, signed_in, until
from tests.samples import Samples
from tests.serving import serving, settings_for

NewDatabase = Callable[[], str]


@pytest.fixture
def alone(sandbox: RunningSandbox, new_database: NewDatabase) -> Iterator[str]:
    """A server with a database of its own: nobody else moves its numbers."""
    with serving(settings_for(sandbox, new_database())) as url:
        yield url


def scrape(url: str) -> Samples:
    with httpx2.Client(trust_env=False) as client:
        answer = client.get(f"{url}/metrics")
    assert answer.status_code == 200
    return Samples(answer.text)


def test_executions_steps_and_attempts_are_counted_once(alone: str) -> None:
    with signed_in(alone, constants.ANA_EMAIL) as http:
        ana = Person(http)
        well = ana.team({"agent_id": OUTLINE}, {"agent_id": DRAFT})
        ill = ana.team(
            {"agent_id": OUTLINE, "config": {"input_template": "[[fail]]"}}, {"agent_id": DRAFT}
        )
        stopped = ana.cancel(ana.running(well)["execution_id"])
        assert stopped.status_code == 200
        ana.wait(ana.execute(well)["execution_id"])
        failed = ana.wait(ana.execute(ill, retry_failed=False)["execution_id"])
        retried = http.post(f"executions/{failed['execution_id']}/retry").json()
        ana.wait(retried["execution_id"])
    seen = scrape(alone)
    ended = {
        s["status"]: seen.value("renum_execution_duration_seconds_count", **s)
        for s in seen.of("renum_execution_duration_seconds_count")
    }
    assert ended == {"completed": 1, "failed": 2, "cancelled": 1}
    steps = {
        s["status"]: seen.value("renum_step_duration_seconds_count", **s)
        for s in seen.of("renum_step_duration_seconds_count")
    }
    assert steps == {"completed": 2, "failed": 2, "skipped": 2, "cancelled": 2}
    assert seen.value("renum_step_attempts_total") == 5
    assert seen.value("renum_workers") == 3
    for status in ("pending", "running"):
        assert seen.value("renum_executions", status=status) == 0


def test_connections_and_what_they_are_told_late(alone: str) -> None:
    with signed_in(alone, constants.ANA_EMAIL) as http, signed_in(alone, constants.ANA_EMAIL) as us:
        ana = Person(us)
        with http.stream("GET", "events") as stream:
            lines = stream.iter_lines()
            next(lines)
            assert scrape(alone).value("renum_live_connections") == 1
            team = ana.team()
            told = (json.loads(x.removeprefix("data:")) for x in lines if x.startswith("data:"))
            assert (
                next(d for d in told if d["type"] == "team_updated")["data"]["name"]
                == (team["name"])
            )
            seen = scrape(alone)
        assert seen.value("renum_event_delivery_lag_seconds_count") == 1
        assert seen.value("renum_event_delivery_lag_seconds_sum") > 0
        until(lambda: scrape(alone).value("renum_live_connections"), lambda n: n == 0)
        # A stream lasts as long as its reader likes; what counts is how soon it began.
        route = {"method": "GET", "route": "/api/v1/events"}
        took = until(
            lambda: scrape(alone),
            lambda s: route in s.of("renum_http_request_duration_seconds_count"),
        )
        assert took.value("renum_http_request_duration_seconds_count", **route) == 1


def test_what_no_worker_takes_grows_old(sandbox: RunningSandbox, new_database: NewDatabase) -> None:
    age = "renum_queue_oldest_due_job_age_seconds"
    with serving(settings_for(sandbox, new_database()), worker=False) as url:
        assert scrape(url).value(age, queue="executions") == 0
        with signed_in(url, constants.ANA_EMAIL) as http:
            ana = Person(http)
            ana.execute(ana.team())
        first = scrape(url)
        later = scrape(url)
    assert first.value("renum_queue_jobs", queue="executions", state="pending") == 1
    assert first.value("renum_executions", status="running") == 1
    assert 0 < first.value(age, queue="executions") < later.value(age, queue="executions")
    assert first.value("renum_workers") == 0
