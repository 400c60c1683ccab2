"""How many executions a user has at once, and how many wait."""

from collections.abc import Callable, Iterator

import pytest

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import Person, checked, problem_of, signed_in
from tests.serving import serving, settings_for


@pytest.fixture(scope="module")
def narrow_url(sandbox: RunningSandbox, new_database: Callable[[], str]) -> Iterator[str]:
    limits = {"max_concurrent_executions": 2, "max_queued_executions": 1}
    with serving(settings_for(sandbox, new_database(), **limits)) as served:
        yield served


@pytest.fixture
def carefully(narrow_url: str) -> Iterator[Person]:
    """Ana, where two run and one waits."""
    with signed_in(narrow_url, constants.ANA_EMAIL) as client:
        person = Person(client)
        yield person
        person.tidy()


def test_the_third_waits_the_fourth_is_refused_and_the_third_starts_by_itself(
    carefully: Person, narrow_url: str
) -> None:
    ana, team = carefully, carefully.team()
    first, second = (ana.execute(team, "[[sleep=30]]") for _ in range(2))
    assert [e["status"] for e in (first, second)] == ["running"] * 2
    third = ana.execute(team, "Wait for your turn")
    assert (third["status"], third["queue_position"]) == ("pending", 1)
    assert third["progress"]["current_step"] == "Waiting in queue"
    assert [line["message"] for line in third["logs"]] == ["Execution queued"]
    listed = checked(ana.http.get("executions", params={"status": "pending"}), 200)["executions"]
    assert [(e["execution_id"], e["queue_position"]) for e in listed] == [
        (third["execution_id"], 1)
    ]
    refused = ana.try_to_execute(team)
    problem_of(refused, 429, "too_many_executions")
    assert int(refused.headers["retry-after"]) > 0
    with signed_in(narrow_url, constants.BRUNO_EMAIL) as client:
        bruno = Person(client)
        other = bruno.execute(bruno.team())
        assert other["status"] == "running"  # the limits are each user's own
        bruno.wait(other["execution_id"])
    checked(ana.cancel(first["execution_id"]), 200)
    done = ana.wait(third["execution_id"])
    assert (done["status"], done["queue_position"]) == ("completed", None)
    assert done["started_at"] > third["started_at"]
    assert ana.execution(second["execution_id"])["status"] == "running"


def test_who_waits_can_be_cancelled_and_never_starts(carefully: Person) -> None:
    ana, team = carefully, carefully.team()
    for _ in range(2):
        ana.execute(team, "[[sleep=30]]")
    waiting = ana.execute(team)["execution_id"]
    problem_of(ana.http.delete(f"teams/{team['id']}"), 409, "team_has_running_executions")
    assert checked(ana.cancel(waiting), 200)["status"] == "cancelled"
    seen = ana.execution(waiting)
    assert [(r["status"], r["attempts"], r["remote_stop"]) for r in seen["results"]] == [
        ("cancelled", 0, "not_needed")
    ]
    assert ana.execute(team)["status"] == "pending"  # its place in the queue is free again
