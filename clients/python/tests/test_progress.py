"""A run's picture, folded from snapshots and events."""

from datetime import UTC, datetime, timedelta

import pytest

from renum.models import Event, Execution, Team
from renum.progress import RunProgress


def snapshot(*results: dict, **fields) -> Execution:
    return Execution.model_validate(
        {"execution_id": "x", "status": "running", "results": list(results), **fields}
    )


def event(kind: str, **data) -> Event:
    return Event(type=kind, data={"execution_id": "x", **data})


@pytest.fixture
def run() -> RunProgress:
    progress = RunProgress("x")
    progress.take_snapshot(snapshot({"key": "a"}, {"key": "b"}))
    return progress


def test_an_agent_goes_from_pending_to_completed(run: RunProgress) -> None:
    run.take_event(event("agent_started", key="a", agent_name="Ann", attempt=1))
    agent = run.agents["a"]
    assert (agent.status, agent.name) == ("running", "Ann")
    assert agent.elapsed_s() == pytest.approx(0, abs=1)
    run.take_event(
        event("agent_completed", key="a", status="completed", output="Hi", execution_time_ms=1500)
    )
    assert (agent.status, agent.text, agent.elapsed_s(), run.ended) == ("completed", "Hi", 1.5, 1)


def test_chunks_that_overlap_or_are_missing_make_no_nonsense(run: RunProgress) -> None:
    for text, offset in [("Hello", 0), ("lo wor", 3), ("Hello", 0), ("end", 100)]:
        run.take_event(event("agent_output", key="a", attempt=1, offset=offset, text=text))
    assert run.agents["a"].text == "…end"
    assert run.agents["a"].status == "running"


def test_text_of_an_older_attempt_is_left_out(run: RunProgress) -> None:
    run.take_event(event("agent_output", key="a", attempt=1, offset=0, text="old"))
    run.take_event(event("agent_output", key="a", attempt=2, offset=0, text="new"))
    run.take_event(event("agent_output", key="a", attempt=1, offset=3, text="older"))
    assert (run.agents["a"].text, run.agents["a"].attempt) == ("new", 2)


def test_an_end_is_final(run: RunProgress) -> None:
    run.take_event(event("agent_completed", key="a", status="skipped"))
    run.take_event(event("agent_started", key="a", attempt=2))
    assert run.agents["a"].status == "skipped"
    run.take_event(event("execution_status_update", status="failed", error_message="No money"))
    run.take_event(event("execution_status_update", status="running"))
    assert run.status_text == "failed: No money"


def test_events_that_the_snapshot_knows_change_nothing(run: RunProgress) -> None:
    run.take_snapshot(snapshot({"key": "a", "status": "pending"}, seq=5))
    run.take_event(event("agent_started", key="a", attempt=3, seq=5))
    assert run.agents["a"].status == "pending"
    run.take_event(event("agent_started", key="a", attempt=4, seq=6))
    assert run.agents["a"].attempt == 4


@pytest.mark.parametrize(
    ("status", "place", "text"),
    [
        ("pending", 2, "queued, number 2 in line"),
        ("pending", None, "queued"),
        ("running", None, "running"),
        ("failed", None, "failed"),
    ],
)
def test_the_status_says_what_people_want_to_know(
    run: RunProgress, status: str, place: int | None, text: str
) -> None:
    run.take_snapshot(snapshot(status=status, queue_position=place))
    assert run.status_text == text


def test_times_survive_a_server_whose_clock_is_ahead(run: RunProgress) -> None:
    now = datetime.now(UTC)
    ahead = now + timedelta(hours=1)
    run.take_snapshot(
        snapshot({"key": "a", "status": "running", "started_at": ahead}, started_at=ahead)
    )
    assert run.elapsed_s() == pytest.approx(0, abs=1)
    run.take_snapshot(snapshot(started_at=now, completed_at=ahead, status="completed"))
    assert run.elapsed_s() == 3600


def test_the_team_names_the_agents_before_the_first_snapshot() -> None:
    run = RunProgress("x")
    agents = [
        {"agent_id": "1", "key": "a", "agent_details": {"name": "Ann"}},
        {"agent_id": "2"},
    ]
    team = {"id": "t", "name": "T", "workflow_type": "parallel", "agents": agents}
    run.take_team(Team.model_validate(team))
    assert [agent.name for agent in run.agents.values()] == ["Ann"]
