"""The engine is killed after, and just before, every commit: the end is the same, nothing lost,
no agent started twice (architecture §8)."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.agents import Answer, RunState, RunStatus, StartUnknown
from app.domain.conditions import Condition, Operator
from app.domain.execution import Execution
from app.domain.reports import ExecutionReport
from app.domain.teams import InputSource, OnFailure, Role, Team, WorkflowType
from app.domain.texts import MAX_INLINE_BYTES, TextField
from tests.builders import a_team, an_agent
from tests.crash.mortal import Killed, Moment, MortalDatabase
from tests.fake_runtime import FakeRuntime
from tests.folding import assert_tells
from tests.world import LIMITS, World

LONG = "a very long answer " * (MAX_INLINE_BYTES // 19 + 1000)


def in_order() -> Team:
    return a_team(an_agent("a", 1), an_agent("b", 2), an_agent("c", 3))


def side_by_side() -> Team:
    joiner = an_agent("join", role=Role.COORDINATOR)
    return a_team(joiner, *(an_agent(k) for k in ("a", "b", "c")), workflow=WorkflowType.PARALLEL)


def with_a_choice() -> Team:
    never = Condition(field="results.a.output", operator=Operator.CONTAINS, value="never")
    return a_team(
        an_agent("a", 1),
        an_agent("b", 2, conditions=(never,)),
        an_agent("c", 2),
        an_agent("d", 3),
        workflow=WorkflowType.CONDITIONAL,
    )


def from_templates() -> Team:
    return a_team(
        an_agent("a", 1, input_template="First: {{ initial_prompt }}"),
        an_agent("b", 2, input_template="Then: {{ results.a.output }}"),
    )


def with_long_answers() -> Team:
    long = Condition(field="results.a.output", operator=Operator.STARTS_WITH, value="a very")
    return a_team(
        an_agent("a", 1),
        an_agent("b", 2, conditions=(long,)),
        an_agent("c", 3, input_source=InputSource.PREVIOUS_OUTPUT),
    )


def that_goes_on() -> Team:
    return a_team(an_agent("a", 1, on_failure=OnFailure.IGNORE), an_agent("b", 2))


@dataclass
class Agents:
    """How agents behave, the same in every life of the engine: by their number of starts."""

    team: Team
    fails_first: bool = False
    always_fails: str = ""
    answer: str = ""
    seen: Counter[str] = field(default_factory=Counter)

    async def __call__(self, agent_id: object, prompt: str) -> Answer | RunState:
        key = next(a.key for a in self.team.agents if a.agent_id == agent_id)
        self.seen[key] += 1
        await asyncio.sleep(0)
        if key == self.always_fails or (self.fails_first and self.seen[key] == 1):
            return RunState(RunStatus.FAILED)
        return Answer(self.answer or f"{key} answers to {prompt[-40:]}")


SCENARIOS: dict[str, Callable[[], tuple[Team, dict[str, Any]]]] = {
    "in order": lambda: (in_order(), {}),
    "side by side": lambda: (side_by_side(), {}),
    "with a choice": lambda: (with_a_choice(), {}),
    "from templates": lambda: (from_templates(), {}),
    "with long answers": lambda: (with_long_answers(), {"answer": LONG}),
    "first attempts fail": lambda: (in_order(), {"fails_first": True}),
    "one agent fails": lambda: (in_order(), {"always_fails": "b"}),
    "a failure is allowed": lambda: (that_goes_on(), {"always_fails": "a"}),
}


class Trial:
    """One execution, driven by engines that die."""

    def __init__(self, world: World, team: Team, behaviour: dict[str, Any]) -> None:
        self.team, self.behaviour = team, behaviour
        self.runtime = FakeRuntime(Agents(team, **behaviour))
        self.world = World(world.db, self.runtime, world.heard)

    def again(self) -> "Trial":
        """The same agents for another user, who has an event log of his own."""
        return Trial(self.world, replace(self.team, user_id=uuid4()), self.behaviour)

    async def begin(self) -> Execution:
        self.execution = await self.world.begin(self.team)
        return self.execution

    async def live(self, commit: int, moment: Moment) -> bool:
        """Drive until the n-th commit; whether it died before the end."""
        mortal, died = MortalDatabase(self.world.db, commit=commit, moment=moment), False
        try:
            await self.world.engine_on(mortal).drive(self.execution.id)
        except* Killed:
            died = True
        return died

    async def finish(self) -> ExecutionReport:
        await self.world.engine.drive(self.execution.id)
        return await self.world.report(self.execution)

    async def check(self, report: ExecutionReport, reference: ExecutionReport) -> None:
        def picture(r: ExecutionReport) -> object:
            return (
                r.status,
                r.error_code,
                [
                    (a.key, a.status, a.attempts, a.output, a.output_bytes, a.input, a.error_code)
                    for a in r.results
                ],
            )

        assert picture(report) == picture(reference)
        started = Counter(agent_id for agent_id, _ in self.runtime.starts)
        assert started == {r.agent_id: r.attempts for r in report.results if r.attempts}
        async with self.world.db.autocommit() as tx:
            events = await tx.events.after(self.execution.user_id, 0, limit=1000)
            stuck = await tx.jobs.stuck(
                running_limit=LIMITS.running, user_id=self.execution.user_id
            )
            whole = await tx.executions.texts(
                self.execution.id,
                TextField.OUTPUT,
                [r.key for r in report.results if r.output_truncated],
            )
        assert [e.id for e in events] == list(range(1, len(events) + 1))
        assert_tells(events, report)
        assert stuck == []
        assert set(whole.values()) <= {LONG}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_death_at_any_commit_changes_nothing(
    world: World, scenario: str, moment: Moment
) -> None:
    once = Trial(world, *SCENARIOS[scenario]())
    reference = await after_no_death(once)
    commit = 0
    died = True
    while died:
        commit += 1
        trial = once.again()
        await trial.begin()
        died = await trial.live(commit, moment)
        await trial.check(await trial.finish(), reference)
    assert commit > 4, "it never died: nothing was tried"


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    scenario=st.sampled_from(sorted(SCENARIOS)),
    deaths=st.lists(st.tuples(st.integers(2, 9), st.sampled_from(["before", "after"])), max_size=6),
)
async def test_however_often_it_dies(
    world: World, scenario: str, deaths: list[tuple[int, Moment]]
) -> None:
    once = Trial(world, *SCENARIOS[scenario]())
    reference = await after_no_death(once)
    trial = once.again()
    await trial.begin()
    for commit, moment in deaths:
        await trial.live(commit, moment)
    await trial.check(await trial.finish(), reference)


async def test_a_start_that_answers_nobody_is_found_in_the_next_life(world: World) -> None:
    trial = Trial(world, *SCENARIOS["in order"]())
    trial.runtime.lose_answers.append(StartUnknown("lost"))
    await trial.begin()
    assert await trial.live(3, "before")
    report = await trial.finish()
    assert report.status == "completed"
    assert len(trial.runtime.starts) == 3


async def after_no_death(trial: Trial) -> ExecutionReport:
    await trial.begin()
    report = await trial.finish()
    await trial.check(report, report)
    return report
