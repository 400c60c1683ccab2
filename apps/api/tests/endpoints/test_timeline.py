"""`GET /executions/{id}/timeline`: where the time went."""

from datetime import datetime

from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import DRAFT, OUTLINE, REVIEW, Json, Person, checked

FAILING = {"agent_id": DRAFT, "config": {"input_template": "Write. [[fail]]"}}


def timeline_of(person: Person, execution: Json) -> Json:
    return checked(person.http.get(f"executions/{execution['execution_id']}/timeline"), 200)


def states(agent: Json) -> list[tuple[str, int, str | None]]:
    return [(s["state"], s["attempt"], s["code"]) for s in agent["spans"] if s["state"] != "queued"]


def test_spans_follow_each_other_and_add_up(ana: Person) -> None:
    team = ana.team({"agent_id": OUTLINE}, {"agent_id": DRAFT}, {"agent_id": REVIEW})
    ended = ana.wait(ana.execute(team, "[[sleep=0.2]]")["execution_id"])
    told = timeline_of(ana, ended)
    assert (told["execution_id"], told["status"]) == (ended["execution_id"], "completed")
    assert (told["started_at"], told["ended_at"]) == (ended["started_at"], ended["completed_at"])
    assert told["critical_path"] == ["agent_1", "agent_2", "agent_3"]
    for agent, before in zip(told["agents"], [None, "agent_1", "agent_2"], strict=True):
        assert agent["waited_for"] == before
        assert agent["needs"] == ([before] if before else [])
        assert states(agent) == [("running", 1, None)]
        assert agent["recorded"]
        at = agent["ready_at"]
        for span in agent["spans"]:
            assert span["started_at"] == at
            at = span["ended_at"]
        assert at == agent["ended_at"]
        assert agent["running_ms"] >= 200
    spent = sum(a["queued_ms"] + a["running_ms"] for a in told["agents"])
    assert abs(spent - told["duration_ms"]) <= 6  # each is rounded


def test_retries_are_told_apart(ana: Person, sandbox: RunningSandbox) -> None:
    ended = ana.wait(ana.execute(ana.team(FAILING))["execution_id"])
    [agent] = timeline_of(ana, ended)["agents"]
    assert states(agent) == [
        ("running", 1, "agent_failed"),
        ("backoff", 1, "agent_failed"),
        ("running", 2, "agent_failed"),
        ("backoff", 2, "agent_failed"),
        ("running", 3, "agent_failed"),
    ]
    assert agent["backoff_ms"] > 0


def test_while_it_runs_time_is_counted_up_to_now(ana: Person) -> None:
    running = ana.running(ana.team({"agent_id": OUTLINE}, {"agent_id": DRAFT}))
    first, second = timeline_of(ana, running), timeline_of(ana, running)
    assert (first["ended_at"], first["agents"][0]["ended_at"]) == (None, None)
    assert first["agents"][0]["spans"][-1]["ended_at"] is None
    assert datetime.fromisoformat(first["as_of"]) < datetime.fromisoformat(second["as_of"])
    assert first["agents"][1]["ready_at"] is None
    assert first["agents"][1]["spans"] == []
    assert first["critical_path"] == ["agent_1"]


def test_what_a_retry_reuses_took_no_time(ana: Person) -> None:
    failed = ana.execute(ana.team({"agent_id": OUTLINE}, FAILING), retry_failed=False)
    failed = ana.wait(failed["execution_id"])
    path = f"executions/{failed['execution_id']}/retry"
    again = ana.wait(checked(ana.http.post(path), 202)["execution_id"])
    first, second = timeline_of(ana, again)["agents"]
    assert (first["reused"], first["spans"]) == (True, [])
    assert second["waited_for"] is None
    assert states(second)[0] == ("running", 1, "agent_failed")
