"""Plans before runs: what an execution would do, without doing it."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from app.domain.execution import ExecutionConfig
from app.domain.inputs import Inputs
from app.domain.preview import Estimate, PlannedStep, TeamPlan, preview_inputs
from app.domain.reports import History
from app.domain.teams import AgentDraft, TeamStatus, WorkflowType
from app.domain.templates import TemplateFailed
from app.domain.workflow import Plan, Step, compile_plan
from app.usecases.limits import Limits
from app.usecases.ports import AgentDirectory, Database, NewId, Templates
from app.usecases.teams import assemble

#: Stands for the prompt of a run that nobody has asked for yet.
PROMPT = "[prompt]"


async def plan_team(
    db: Database,
    templates: Templates,
    limits: Limits,
    team_id: UUID,
    *,
    user_id: UUID,
    prompt: str,
    context: Mapping[str, object],
    config: ExecutionConfig,
) -> TeamPlan:
    """What `execute_team` would run now. Raises TeamNotFound."""
    async with db.autocommit() as tx:
        team = await tx.teams.get(team_id, user_id=user_id)
        history = await tx.reports.history(team_id)
        running, queued = await tx.executions.unfinished(user_id)
    plan = compile_plan(team.workflow_type, team.agents, templates.examine)
    return TeamPlan(
        steps=await _steps(
            templates, plan, prompt, context, user_id=user_id, limit_s=limits.preview_s
        ),
        estimate=Estimate.of(history, timeout_s=config.timeout_minutes * 60),
        starts_now=team.status is TeamStatus.ACTIVE and running < limits.running and queued == 0,
    )


async def validate_team(
    db: Database,
    directory: AgentDirectory,
    templates: Templates,
    new_id: NewId,
    limits: Limits,
    *,
    user_id: UUID,
    workflow_type: WorkflowType,
    agents: Sequence[AgentDraft],
) -> TeamPlan:
    """The plan of a team that is not saved. Raises exactly what `create_team` does."""
    assembled = await assemble(directory, new_id, agents)
    plan = compile_plan(workflow_type, assembled, templates.examine)
    async with db.autocommit() as tx:
        running, queued = await tx.executions.unfinished(user_id)
    return TeamPlan(
        steps=await _steps(templates, plan, PROMPT, {}, user_id=user_id, limit_s=limits.preview_s),
        estimate=Estimate.of(
            History(samples=0, p50_s=None, p90_s=None),
            timeout_s=ExecutionConfig().timeout_minutes * 60,
        ),
        starts_now=running < limits.running and queued == 0,
    )


async def _steps(
    templates: Templates,
    plan: Plan,
    prompt: str,
    context: Mapping[str, object],
    *,
    user_id: UUID,
    limit_s: float,
) -> tuple[PlannedStep, ...]:
    stages = plan.stages()
    inputs = preview_inputs(plan, prompt=prompt, context=context)
    until = asyncio.get_running_loop().time() + limit_s
    made = await asyncio.gather(
        *(_input(templates, inputs, step, until, user_id=user_id) for step in plan.steps)
    )
    return tuple(
        PlannedStep(step=step, stage=stages[step.key], input=text, input_error=error)
        for step, (text, error) in zip(plan.steps, made, strict=True)
    )


async def _input(
    templates: Templates, inputs: Inputs, step: Step, until: float, *, user_id: UUID
) -> tuple[str | None, str | None]:
    """The input, or why there is none; *until* is a time of the event loop."""
    if step.input_template is None:
        return inputs.compose(step), None
    try:
        async with asyncio.timeout_at(until):
            facts = inputs.facts(inputs.plan.earlier(step.key))
            return await templates.render(step.input_template, facts, user_id=user_id), None
    except TemplateFailed as error:
        return None, str(error)
    except TimeoutError:
        return None, "The templates of this team take too long together to be shown here."
