"""Where the time of an execution went, by a clock that is moved by hand."""

from datetime import datetime, timedelta
from uuid import uuid4

from app.domain.agents import Answer
from app.domain.execution import Execution
from app.domain.history import Phase
from app.domain.retry import Failure
from app.domain.teams import WorkflowType
from app.domain.timeline import Recorded, SpanState, Timeline, timeline
from tests.builders import NOON, a_team, an_agent, an_execution

BUSY = Failure(code="suna_busy", message="Full.", retryable=True)
AWAY = Failure(code="suna_unavailable", message="Away.", retryable=True)
BROKEN = Failure(code="agent_failed", message="Failed.", retryable=True)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def told(execution: Execution, seconds: float) -> Timeline:
    recorded = Recorded(
        id=execution.id,
        status=execution.status,
        created_at=execution.created_at,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        plan=execution.plan,
        results=tuple(execution.results.values()),
    )
    return timeline(recorded, at(seconds))


def begin(execution: Execution, seconds: float, *keys: str) -> None:
    ready = [r for r in execution.ready(at(seconds), uuid4) if not keys or r.key in keys]
    execution.begin(ready, at(seconds), uuid4)


def complete(execution: Execution, key: str, seconds: float) -> None:
    execution.complete(key, Answer("Done."), at(seconds))
    begin(execution, seconds)


def spans(told: Timeline, key: str) -> list[tuple[str, int, int, str | None]]:
    [agent] = [a for a in told.agents if a.key == key]
    return [(s.state.value, s.attempt, s.duration_ms, s.code) for s in agent.spans]


def test_each_waits_for_the_one_before() -> None:
    execution = an_execution()
    begin(execution, 2)
    complete(execution, "outline", 10)
    complete(execution, "draft", 30)
    complete(execution, "review", 31.5)
    story = told(execution, 99)
    assert (story.queued_ms, story.duration_ms, story.ended_at) == (0, 31_500, at(31.5))
    assert spans(story, "outline") == [("queued", 1, 2000, None), ("running", 1, 8000, None)]
    assert spans(story, "draft") == [("running", 1, 20_000, None)]
    outline, draft, review = story.agents
    assert (outline.waited_for, draft.waited_for, review.waited_for) == (None, "outline", "draft")
    assert (draft.ready_at, draft.started_at, draft.ended_at) == (at(10), at(10), at(30))
    assert story.critical_path == ("outline", "draft", "review")


def test_the_critical_path_leads_over_what_ended_last() -> None:
    team = a_team(
        an_agent("quick", 1),
        an_agent("slow", 2),
        an_agent("after_quick", 3, depends_on=("quick",)),
        an_agent("join", 4, depends_on=("slow", "after_quick")),
        workflow=WorkflowType.PARALLEL,
    )
    execution = an_execution(team)
    begin(execution, 0)
    complete(execution, "quick", 1)
    complete(execution, "after_quick", 3)
    complete(execution, "slow", 50)
    story = told(execution, 60)
    assert spans(story, "join") == [("running", 1, 10_000, None)]
    assert story.critical_path == ("slow", "join")
    assert story.agents[-1].waited_for == "slow"
    assert story.agents[-1].ended_at is None


def test_a_place_among_the_parallel_ones_is_queued_for() -> None:
    team = a_team(an_agent("a", 1), an_agent("b", 2), workflow=WorkflowType.PARALLEL)
    execution = an_execution(team, parallel_limit=1)
    begin(execution, 0)
    assert spans(told(execution, 4), "b") == [("queued", 1, 4000, None)]
    complete(execution, "a", 7)
    assert spans(told(execution, 9), "b") == [("queued", 1, 7000, None), ("running", 1, 2000, None)]


def test_failed_attempts_and_the_time_between_are_told_apart() -> None:
    execution = an_execution(a_team(an_agent("a")))
    begin(execution, 0)
    execution.fail("a", BROKEN, at(5), retry_in_s=2)
    begin(execution, 8)
    execution.fail("a", BROKEN, at(9), retry_in_s=None)
    begin(execution, 9)
    story = told(execution, 99)
    assert spans(story, "a") == [
        ("running", 1, 5000, "agent_failed"),
        ("backoff", 1, 3000, "agent_failed"),
        ("running", 2, 1000, "agent_failed"),
    ]
    [agent] = story.agents
    assert (agent.running_ms, agent.backoff_ms, agent.attempts) == (6000, 3000, 2)


def test_waits_for_suna_are_no_work_however_often_it_is_asked() -> None:
    execution = an_execution(a_team(an_agent("a")))
    begin(execution, 0)
    for second in range(1, 500, 2):
        execution.wait("a", AWAY, at(second), delay_s=1)
        begin(execution, second + 1)
    complete(execution, "a", 510)
    assert spans(told(execution, 999), "a") == [
        ("waiting", 1, 500_000, "suna_unavailable"),
        ("running", 1, 10_000, None),
    ]


def test_what_suna_has_no_room_for_waits() -> None:
    execution = an_execution(a_team(an_agent("a")))
    execution.hold(execution.ready(at(1), uuid4), at(1))
    execution.hold(execution.ready(at(2), uuid4), at(2))
    begin(execution, 6)
    execution.fail("a", BROKEN, at(8), retry_in_s=1)
    execution.hold(execution.ready(at(9), uuid4), at(9))
    begin(execution, 12)
    assert spans(told(execution, 15), "a") == [
        ("queued", 1, 1000, None),
        ("waiting", 1, 5000, "suna_capacity"),
        ("running", 1, 2000, "agent_failed"),
        ("backoff", 1, 1000, "agent_failed"),
        ("waiting", 2, 3000, "suna_capacity"),
        ("running", 2, 3000, None),
    ]


def test_hours_of_changing_waits_stay_short() -> None:
    execution = an_execution(a_team(an_agent("a")))
    begin(execution, 0)
    for second in range(0, 4000, 4):
        execution.wait("a", BUSY, at(second + 1), delay_s=1)
        execution.hold(execution.ready(at(second + 2), uuid4), at(second + 2))
        begin(execution, second + 3)
    [result] = execution.results.values()
    assert len(result.history) <= 101
    story = told(execution, 4003)
    [agent] = story.agents
    assert agent.waiting_ms + agent.running_ms == 4_003_000
    assert agent.running_ms == 4000
    assert result.history[-1].phase is Phase.RUNNING


def test_what_is_cancelled_ends_then() -> None:
    execution = an_execution()
    begin(execution, 1)
    execution.cancel(at(4), uuid4)
    story = told(execution, 99)
    assert spans(story, "outline") == [("queued", 1, 1000, None), ("running", 1, 3000, None)]
    assert spans(story, "draft") == []
    assert story.duration_ms == 4000


def test_what_waits_for_a_free_slot_has_not_started() -> None:
    execution = an_execution(queued=True)
    story = told(execution, 20)
    assert (story.started_at, story.queued_ms, story.duration_ms) == (None, 20_000, 0)
    assert [a.spans for a in story.agents] == [(), (), ()]
    assert story.critical_path == ()
    execution.promote(at(30))
    begin(execution, 31)
    story = told(execution, 35)
    assert (story.started_at, story.queued_ms, story.duration_ms) == (at(30), 30_000, 5000)
    assert spans(story, "outline") == [("queued", 1, 1000, None), ("running", 1, 4000, None)]


def test_what_is_reused_takes_no_time() -> None:
    execution = an_execution()
    begin(execution, 0)
    complete(execution, "outline", 10)
    execution.fail("draft", BROKEN, at(20), retry_in_s=None)
    begin(execution, 20)
    again = execution.again(id=uuid4(), queued=False, typical_s=None, now=at(100))
    begin(again, 100)
    story = told(again, 107)
    outline, draft, _ = story.agents
    assert (outline.reused, outline.spans, outline.ready_at) == (True, (), None)
    assert (draft.waited_for, draft.ready_at) == (None, at(100))
    assert spans(story, "draft") == [("running", 1, 7000, None)]
    assert story.critical_path == ("draft",)


def test_what_was_not_noted_is_not_made_up() -> None:
    """An execution that an older version began."""
    execution = an_execution(a_team(an_agent("a")))
    begin(execution, 0)
    result = execution.results["a"]
    result.history = ()
    execution.fail("a", BROKEN, at(5), retry_in_s=1)
    begin(execution, 6)
    result.history = tuple(m for m in result.history if m.attempt == 2)
    [agent] = told(execution, 9).agents
    assert (agent.recorded, agent.spans, agent.attempts) == (False, (), 2)


def test_skipped_agents_wait_for_nothing() -> None:
    execution = an_execution()
    begin(execution, 0)
    execution.fail("outline", BROKEN, at(5), retry_in_s=None)
    begin(execution, 5)
    story = told(execution, 9)
    assert [len(a.spans) for a in story.agents] == [1, 0, 0]
    assert all(s.state is SpanState.RUNNING for s in story.agents[0].spans)
