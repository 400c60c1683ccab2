"""Valid things for tests; pass only what the test is about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID, uuid4

from app.domain.execution import Execution, ExecutionConfig
from app.domain.results import AgentResult
from app.domain.teams import (
    AgentConfig,
    AgentDetails,
    Role,
    Team,
    TeamAgent,
    TeamStatus,
    WorkflowType,
)
from app.domain.workflow import Plan, compile_plan
from app.infra.templates.jinja import JinjaTemplates
from app.usecases.idempotency import Idempotent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_agent(key: str, order: int = 1, role: Role = Role.MEMBER, **config: object) -> TeamAgent:
    return TeamAgent(
        id=uuid4(),
        agent_id=uuid4(),
        key=key,
        role=role,
        order=order,
        config=AgentConfig(**config),
        agent_details=AgentDetails(name=key.title(), description=f"Does {key}"),
    )


def a_team(
    *agents: TeamAgent,
    workflow: WorkflowType = WorkflowType.SEQUENTIAL,
    user_id: UUID | None = None,
) -> Team:
    return Team(
        id=uuid4(),
        user_id=user_id or uuid4(),
        name="Marketing Team",
        description="Team for marketing automation",
        workflow_type=workflow,
        status=TeamStatus.ACTIVE,
        agents=agents or (an_agent("outline", 1), an_agent("draft", 2), an_agent("review", 3)),
        version=1,
        created_at=NOON,
        updated_at=NOON,
    )


def planned(workflow: WorkflowType, agents: Sequence[TeamAgent]) -> Plan:
    return compile_plan(workflow, agents, JinjaTemplates().examine)


def an_execution(
    team: Team | None = None,
    *,
    prompt: str = "Sell product X",
    context: dict[str, object] | None = None,
    queued: bool = False,
    now: datetime = NOON,
    id_: UUID | None = None,
    **config: object,
) -> Execution:
    team = team or a_team()
    return Execution.create(
        team,
        planned(team.workflow_type, team.agents),
        id=id_ or uuid4(),
        prompt=prompt,
        context=context or {},
        config=ExecutionConfig(**config),
        queued=queued,
        typical_s=None,
        now=now,
    )


def advance(execution: Execution, now: datetime) -> list[AgentResult]:
    """Begin all that is ready, and return it; what the engine does where Suna has room."""
    ready = execution.ready(now, uuid4)
    execution.begin(ready, now, uuid4)
    return ready


def keys(things: Sequence[object]) -> list[str]:
    return [t.key for t in things]


def unkeyed() -> Idempotent[Any]:
    """Of a request without an Idempotency-Key."""

    def answer(_: object) -> NoReturn:
        raise AssertionError

    return Idempotent(None, answer, uuid4(), NOON)
