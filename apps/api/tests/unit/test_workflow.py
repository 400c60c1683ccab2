"""From a team to its plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conditions import Condition, Operator
from app.domain.errors import Invalid
from app.domain.teams import InputSource, OnFailure, Role, TeamAgent, WorkflowType
from app.domain.workflow import WorkflowHasCycle
from tests.builders import an_agent, keys, planned

IN_ORDER = (WorkflowType.SEQUENTIAL, WorkflowType.PIPELINE)


def about(key: str) -> Condition:
    return Condition(field=f"results.{key}.status", operator=Operator.EXISTS)


@pytest.mark.parametrize(
    ("workflow", "then"),
    [
        (WorkflowType.SEQUENTIAL, InputSource.COMBINED),
        (WorkflowType.PIPELINE, InputSource.PREVIOUS_OUTPUT),
        (WorkflowType.CONDITIONAL, InputSource.COMBINED),
    ],
)
def test_ordered_teams_run_one_after_the_other(workflow: WorkflowType, then: InputSource) -> None:
    plan = planned(workflow, [an_agent("c", 30), an_agent("a", 1), an_agent("b", 2)])
    assert keys(plan.steps) == ["a", "b", "c"]
    assert [s.needs for s in plan.steps] == [(), ("a",), ("b",)]
    assert [s.follows for s in plan.steps] == [(), ("a",), ("b",)]
    assert [s.sources for s in plan.steps] == [(), ("a",), ("a", "b")]
    assert [s.input_source for s in plan.steps] == [InputSource.INITIAL_PROMPT, then, then]


def test_a_parallel_team_runs_side_by_side_and_its_coordinator_last() -> None:
    agents = [an_agent("join", 1, Role.COORDINATOR), an_agent("b", 2), an_agent("a", 2)]
    plan = planned(WorkflowType.PARALLEL, agents)
    assert keys(plan.steps) == ["b", "a", "join"]
    assert [s.needs for s in plan.steps] == [(), (), ("b", "a")]
    assert plan.step("a").input_source is InputSource.INITIAL_PROMPT
    assert plan.step("join").input_source is InputSource.COMBINED
    assert plan.step("join").sources == ("b", "a")


def test_equal_orders_of_a_conditional_team_are_alternatives() -> None:
    agents = [an_agent("a", 1), an_agent("b", 2), an_agent("c", 2), an_agent("d", 3)]
    plan = planned(WorkflowType.CONDITIONAL, agents)
    assert [s.needs for s in plan.steps] == [(), ("a",), ("a",), ("b", "c")]


@pytest.mark.parametrize("workflow", WorkflowType)
def test_what_a_failure_means_depends_on_the_workflow(workflow: WorkflowType) -> None:
    agents = [an_agent("a", 1), an_agent("b", 2, on_failure=OnFailure.IGNORE)]
    plan = planned(workflow, agents)
    stops = OnFailure.STOP if workflow in IN_ORDER else OnFailure.CONTINUE
    assert [s.on_failure for s in plan.steps] == [stops, OnFailure.IGNORE]


@pytest.mark.parametrize(
    "config", [{"depends_on": ("b",)}, {"source_agents": ("b",)}, {"conditions": (about("b"),)}]
)
def test_who_asks_for_a_result_waits_for_it(config: dict[str, object]) -> None:
    plan = planned(WorkflowType.PARALLEL, [an_agent("a", 1, **config), an_agent("b", 2)])
    assert keys(plan.steps) == ["b", "a"]
    assert plan.step("a").needs == ("b",)
    assert plan.step("a").follows == (("b",) if "depends_on" in config else ())


def test_a_cycle_is_named() -> None:
    agents = [
        an_agent("a", 1, depends_on=("b",)),
        an_agent("b", 2, source_agents=("c",)),
        an_agent("c", 3, conditions=(about("a"),)),
        an_agent("d", 4),
    ]
    with pytest.raises(WorkflowHasCycle, match="a → b → c → a") as caught:
        planned(WorkflowType.PARALLEL, agents)
    assert [p.loc for p in caught.value.problems] == [("agents", 0), ("agents", 1), ("agents", 2)]


@pytest.mark.parametrize("workflow", IN_ORDER)
def test_every_wrong_place_is_named_at_once(workflow: WorkflowType) -> None:
    agents = [
        an_agent("a", 1, input_source=InputSource.AGENT_RESULT),
        an_agent("b", 1, depends_on=("b",), source_agents=("ghost",)),
    ]
    with pytest.raises(Invalid) as caught:
        planned(workflow, agents)
    assert {(p.loc, p.code) for p in caught.value.problems} == {
        (("agents", 0, "config", "source_agents"), "missing"),
        (("agents", 1, "order"), "duplicate_order"),
        (("agents", 1, "config", "depends_on", 0), "unknown_key"),
        (("agents", 1, "config", "source_agents", 0), "unknown_key"),
    }


@st.composite
def teams(draw: st.DrawFn) -> tuple[WorkflowType, list[TeamAgent]]:
    """Valid teams, listed in any order: references lead to lower orders only."""
    workflow = draw(st.sampled_from(WorkflowType))
    agents: list[TeamAgent] = []
    order = 0
    for n in range(draw(st.integers(1, 8))):
        step_up = 0 if n and workflow not in IN_ORDER and draw(st.booleans()) else 1
        order += step_up
        lower = st.sampled_from([a.key for a in agents if a.order < order] or [""])
        some = st.lists(lower, max_size=3, unique=True).map(lambda ks: tuple(k for k in ks if k))
        agents.append(
            an_agent(
                f"k{n}",
                order,
                depends_on=draw(some),
                source_agents=draw(some),
                conditions=tuple(about(k) for k in draw(some)),
                on_failure=draw(st.none() | st.sampled_from(OnFailure)),
            )
        )
    return workflow, draw(st.permutations(agents))


@given(team=teams())
def test_in_every_plan_what_a_step_needs_stands_before_it(
    team: tuple[WorkflowType, list[TeamAgent]],
) -> None:
    workflow, agents = team
    plan = planned(workflow, agents)
    assert sorted(keys(plan.steps)) == sorted(keys(agents))
    before: set[str] = set()
    by_key = {a.key: a for a in agents}
    for one in plan.steps:
        config = by_key[one.key].config
        assert set(one.follows) <= set(one.needs) <= before
        assert set(one.sources) <= before
        asked = {c.source for c in config.conditions}
        assert {*config.depends_on, *config.source_agents, *asked} <= set(one.needs)
        before.add(one.key)
    assert planned(workflow, agents) == plan
