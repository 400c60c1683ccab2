"""Compiles a team into a plan: which step waits for which, and what each one is given."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.domain.conditions import Condition
from app.domain.errors import Invalid, Problem
from app.domain.teams import AgentConfig, InputSource, OnFailure, Role, TeamAgent, WorkflowType
from app.domain.templates import Examine, TemplateUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One agent's part in a plan. All keys name steps of the same plan."""

    key: str
    agent_id: UUID
    agent_name: str
    #: Must have ended, in whatever way, before this step may start.
    needs: tuple[str, ...]
    #: The steps whose output is the `previous_output` of this one.
    follows: tuple[str, ...]
    input_source: InputSource
    #: Whose outputs `agent_result` and `combined` take, in plan order.
    sources: tuple[str, ...]
    conditions: tuple[Condition, ...]
    on_failure: OnFailure
    timeout_minutes: int | None
    #: Makes the whole input, instead of `input_source`.
    input_template: str | None = None

    @property
    def asked(self) -> tuple[str, ...]:
        """The steps whose results its conditions look at."""
        return _unique(c.source for c in self.conditions if c.source is not None)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in plan order: whatever a step needs stands before it."""

    steps: tuple[Step, ...]

    def step(self, key: str) -> Step:
        return next(s for s in self.steps if s.key == key)

    def stages(self) -> dict[str, int]:
        """The stage of every step, from 1: one more than the last stage of what it needs."""
        stages: dict[str, int] = {}
        for step in self.steps:
            stages[step.key] = 1 + max((stages[k] for k in step.needs), default=0)
        return stages

    def earlier(self, key: str) -> tuple[str, ...]:
        """Everything that has surely ended when a step starts, in plan order."""
        found = set(self.step(key).needs)
        for step in reversed(self.steps):  # what a step needs stands before it
            if step.key in found:
                found.update(step.needs)
        return tuple(s.key for s in self.steps if s.key in found)


class WorkflowHasCycle(Invalid):
    """Agents wait for each other in a circle."""

    code = "workflow_has_cycle"
    title = "The workflow has a cycle"


def compile_plan(workflow: WorkflowType, agents: Sequence[TeamAgent], examine: Examine) -> Plan:
    """
    The plan of a team, a directed acyclic graph (api.md §3). *examine* reads input templates.

    Naming another agent as a source, in a condition or in a template makes a step wait for it:
    what it asks for must exist when it starts.

    Raises Invalid naming every place that is wrong, WorkflowHasCycle naming the cycle.
    """
    uses = {
        a.key: examine(a.config.input_template) if a.config.input_template else TemplateUse()
        for a in agents
    }
    problems = list(_problems(workflow, agents, uses))
    if problems:
        raise Invalid("The team's workflow cannot be run as it is.", problems)
    follows = _edges(workflow, agents)
    needs = {
        a.key: _unique(
            [*follows[a.key], *a.config.source_agents, *_asked(a.config), *uses[a.key].sources]
        )
        for a in agents
    }
    ordered = _plan_order(agents, needs)
    earlier: dict[str, set[str]] = {}
    steps = []
    for agent in ordered:
        earlier[agent.key] = set(needs[agent.key]).union(*(earlier[k] for k in needs[agent.key]))
        before = [a.key for a in ordered if a.key in earlier[agent.key]]
        steps.append(
            Step(
                key=agent.key,
                agent_id=agent.agent_id,
                agent_name=agent.agent_details.name,
                needs=tuple(k for k in before if k in needs[agent.key]),
                follows=tuple(k for k in before if k in follows[agent.key]),
                input_source=_input_source(workflow, agent, follows[agent.key]),
                sources=_unique(agent.config.source_agents) or tuple(before),
                conditions=agent.config.conditions,
                on_failure=agent.config.on_failure or _DEFAULT_ON_FAILURE[workflow],
                timeout_minutes=agent.config.timeout_minutes,
                input_template=agent.config.input_template,
            )
        )
    return Plan(tuple(steps))


_DEFAULT_ON_FAILURE = {
    WorkflowType.SEQUENTIAL: OnFailure.STOP,
    WorkflowType.PIPELINE: OnFailure.STOP,
    WorkflowType.PARALLEL: OnFailure.CONTINUE,
    WorkflowType.CONDITIONAL: OnFailure.CONTINUE,
}


def _problems(
    workflow: WorkflowType, agents: Sequence[TeamAgent], uses: Mapping[str, TemplateUse]
) -> Iterable[Problem]:
    keys = {a.key for a in agents}
    orders: set[int] = set()
    for i, agent in enumerate(agents):
        place = ("agents", i)
        if workflow in (WorkflowType.SEQUENTIAL, WorkflowType.PIPELINE) and agent.order in orders:
            yield Problem(
                (*place, "order"),
                "duplicate_order",
                f"Another agent has order {agent.order}; in a {workflow} team each needs its own.",
            )
        orders.add(agent.order)
        config = agent.config
        if config.input_source is InputSource.AGENT_RESULT and not config.source_agents:
            yield Problem(
                (*place, "config", "source_agents"),
                "missing",
                "The input source agent_result needs at least one source agent.",
            )
        for member in ("source_agents", "depends_on"):
            for j, key in enumerate(getattr(config, member)):
                if fault := _fault_of_reference(key, agent.key, keys):
                    yield Problem((*place, "config", member, j), "unknown_key", fault)
        use = uses[agent.key]
        faults = [_fault_of_reference(key, agent.key, keys) for key in use.sources]
        for code, fault in [("invalid_template", use.fault), *(("unknown_key", f) for f in faults)]:
            if fault:
                yield Problem((*place, "config", "input_template"), code, fault)
        for j, condition in enumerate(config.conditions):
            where = (*place, "config", "conditions", j)
            if wrong := condition.fault():
                yield Problem((*where, wrong[0]), "invalid_condition", wrong[1])
            elif condition.source and (
                fault := _fault_of_reference(condition.source, agent.key, keys)
            ):
                yield Problem((*where, "field"), "unknown_key", fault)


def _fault_of_reference(key: str, own: str, keys: set[str]) -> str | None:
    if key == own:
        return "An agent cannot wait for itself."
    if key not in keys:
        return f"No agent of this team has the key {key!r}."
    return None


def _edges(workflow: WorkflowType, agents: Sequence[TeamAgent]) -> dict[str, tuple[str, ...]]:
    """What each agent directly follows: the workflow's own edges, then `depends_on`."""
    if workflow is WorkflowType.PARALLEL:
        others = [a.key for a in agents if a.role is not Role.COORDINATOR]
        edges = {a.key: others if a.role is Role.COORDINATOR else [] for a in agents}
    else:
        orders = sorted({a.order for a in agents})
        before = dict(zip(orders[1:], orders, strict=False))
        edges = {a.key: [b.key for b in agents if b.order == before.get(a.order)] for a in agents}
    return {a.key: _unique([*edges[a.key], *a.config.depends_on]) for a in agents}


def _asked(config: AgentConfig) -> list[str]:
    return [c.source for c in config.conditions if c.source is not None]


def _unique(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))


def _plan_order(agents: Sequence[TeamAgent], needs: Mapping[str, Sequence[str]]) -> list[TeamAgent]:
    """Kahn's algorithm; of the free steps the lower order, then the earlier place, comes first."""
    rank = {a.key: (a.order, i) for i, a in enumerate(agents)}
    by_key = {a.key: a for a in agents}
    waiting = {key: set(keys) for key, keys in needs.items()}
    free = [(rank[key], key) for key, keys in waiting.items() if not keys]
    heapq.heapify(free)
    ordered = []
    while free:
        _, key = heapq.heappop(free)
        ordered.append(by_key[key])
        del waiting[key]
        for other, keys in waiting.items():
            if key in keys:
                keys.discard(key)
                if not keys:
                    heapq.heappush(free, (rank[other], other))
    if waiting:
        cycle = _cycle(waiting)
        raise WorkflowHasCycle(
            f"These agents wait for each other: {' → '.join(cycle)}.",
            [
                Problem(("agents", rank[key][1]), "workflow_has_cycle", "Part of the cycle.")
                for key in cycle[:-1]
            ],
        )
    return ordered


def _cycle(waiting: dict[str, set[str]]) -> list[str]:
    """One cycle among steps that all wait, its first key repeated at the end."""
    path = [min(waiting)]
    while True:
        following = min(waiting[path[-1]])
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)


def _input_source(workflow: WorkflowType, agent: TeamAgent, follows: Sequence[str]) -> InputSource:
    if agent.config.input_source is not None:
        return agent.config.input_source
    if not follows:
        return InputSource.INITIAL_PROMPT
    if workflow is WorkflowType.PIPELINE:
        return InputSource.PREVIOUS_OUTPUT
    if workflow is WorkflowType.PARALLEL and agent.role is not Role.COORDINATOR:
        return InputSource.INITIAL_PROMPT
    return InputSource.COMBINED
