"""What a retry takes over, and what it runs again."""

from random import Random
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.agents import Answer
from app.domain.conditions import Condition, Operator
from app.domain.events import ExecutionLog
from app.domain.execution import Execution
from app.domain.execution_errors import NotRetryable
from app.domain.progress import ExecutionStatus
from app.domain.results import AgentStatus
from app.domain.retry import Failure
from app.domain.teams import OnFailure, Team, TeamAgent, WorkflowType
from tests.builders import NOON, a_team, advance, an_agent, an_execution

BROKEN = Failure(code="agent_failed", message="It broke.", retryable=True)


def run(team: Team, *failing: str) -> Execution:
    """An execution in which some agents fail, at its end."""
    execution = an_execution(team, parallel_limit=50)
    begun = advance(execution, NOON)
    while begun:
        for result in begun:
            if result.key in failing:
                execution.fail(result.key, BROKEN, NOON, retry_in_s=None)
            else:
                execution.complete(result.key, Answer(f"by {result.key}"), NOON)
        begun = advance(execution, NOON)
    return execution


def again(execution: Execution) -> Execution:
    return execution.again(id=uuid4(), queued=False, typical_s=None, now=NOON)


def reused(execution: Execution) -> set[str]:
    return {r.key for r in again(execution).results.values() if r.reused}


def test_what_stands_before_the_failure_is_kept() -> None:
    team = a_team(an_agent("a", 1), an_agent("b", 2), an_agent("c", 3))
    assert reused(run(team, "b")) == {"a"}


def test_who_saw_a_failure_runs_again_with_the_result() -> None:
    team = a_team(
        an_agent("a", 1, on_failure=OnFailure.CONTINUE), an_agent("b", 2), an_agent("c", 3)
    )
    assert reused(run(team, "a")) == set()


def test_siblings_of_a_failure_are_kept() -> None:
    team = a_team(*(an_agent(k) for k in "abc"), workflow=WorkflowType.PARALLEL)
    assert reused(run(team, "b")) == {"a", "c"}


def test_a_step_that_will_be_skipped_again_disturbs_nobody() -> None:
    never = Condition(field="initial_prompt", operator=Operator.EQUALS, value="no")
    team = a_team(an_agent("a", 1, conditions=(never,)), an_agent("b", 2), an_agent("c", 3))
    assert reused(run(team, "c")) == {"b"}


def test_a_reused_result_is_the_old_one_and_is_told() -> None:
    team = a_team(an_agent("a", 1), an_agent("b", 2))
    failed = run(team, "b")
    execution = again(failed)
    result, old = execution.results["a"], failed.results["a"]
    assert (result.output, result.attempts, result.completed_at) == ("by a", 1, old.completed_at)
    assert (result.run_key, result.run) == (None, None)
    assert execution.progress.completed_agents == 1
    told = [e for e in execution.collect().events if getattr(e, "reused", False)]
    assert [e.key for e in told] == ["a"]


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ("a", "Execution started"),
        ("b", "Execution started with 1 finished result of an earlier one"),
        ("c", "Execution started with 2 finished results of an earlier one"),
    ],
)
def test_the_log_says_how_much_is_taken_over(failing: str, said: str) -> None:
    execution = again(run(a_team(an_agent("a", 1), an_agent("b", 2), an_agent("c", 3)), failing))
    lines = [e.message for e in execution.collect().events if isinstance(e, ExecutionLog)]
    assert lines == [said]


def test_only_what_failed_or_was_cancelled_is_retried() -> None:
    with pytest.raises(NotRetryable):
        again(run(a_team()))
    with pytest.raises(NotRetryable):
        again(an_execution())


@st.composite
def teams(draw: st.DrawFn) -> Team:
    size = draw(st.integers(1, 7))
    agents: list[TeamAgent] = []
    for i in range(size):
        earlier = [a.key for a in agents]
        some = st.lists(st.sampled_from(earlier), unique=True, max_size=3) if i else st.just([])
        agents.append(
            an_agent(
                f"k{i}",
                i,
                depends_on=tuple(draw(some)),
                on_failure=draw(st.sampled_from(OnFailure)),
            )
        )
    return a_team(*agents, workflow=draw(st.sampled_from(WorkflowType)))


@given(team=teams(), seed=st.integers(0, 2**32))
def test_a_retry_of_anything_ends_and_repeats_exactly_what_it_must(team: Team, seed: int) -> None:
    rng = Random(seed)
    failing = [a.key for a in team.agents if rng.random() < 0.4]
    failed = run(team, *failing)
    if failed.status is not ExecutionStatus.FAILED:
        return
    execution = again(failed)
    kept = {r.key for r in execution.results.values() if r.reused}
    for step in execution.plan.steps:
        complete = failed.results[step.key].status is AgentStatus.COMPLETED
        assert (step.key in kept) == (complete and kept.issuperset(step.needs))
    begun = advance(execution, NOON)
    while begun:
        for result in begun:
            assert result.key not in kept
            execution.complete(result.key, Answer("x"), NOON)
        begun = advance(execution, NOON)
    assert execution.status is ExecutionStatus.COMPLETED
