"""Plans before runs: what an execution would do, without doing it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from app.domain.execution import ExecutionConfig
from app.domain.preview import Estimate, PlannedStep, TeamPlan, composed, template_facts
from app.domain.reports import History
from app.domain.teams import AgentDraft, WorkflowType
from app.domain.templates import TemplateFailed
from app.domain.workflow import Plan, Step, compile_plan
from app.usecases.ports import AgentDirectory, Database, NewId, Templates
from app.usecases.services import Limits
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
    async with db.reading() as tx:
        team = await tx.teams.get(team_id, user_id=user_id)
        history = await tx.reports.history(team_id)
        running, queued = await tx.executions.unfinished(user_id)
    plan = compile_plan(team.workflow_type, team.agents, templates.examine)
    return TeamPlan(
        steps=await _steps(templates, plan, prompt, context),
        estimate=Estimate.of(history, timeout_s=config.timeout_minutes * 60),
        starts_now=running < limits.running and queued == 0,
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
    async with db.reading() as tx:
        running, queued = await tx.executions.unfinished(user_id)
    return TeamPlan(
        steps=await _steps(templates, plan, PROMPT, {}),
        estimate=Estimate.of(
            History(samples=0, p50_s=None, p90_s=None),
            timeout_s=ExecutionConfig().timeout_minutes * 60,
        ),
        starts_now=running < limits.running and queued == 0,
    )


async def _steps(
    templates: Templates, plan: Plan, prompt: str, context: Mapping[str, object]
) -> tuple[PlannedStep, ...]:
    stages = plan.stages()
    planned = []
    for step in plan.steps:
        text, error = await _input(templates, plan, step, prompt, context)
        planned.append(
            PlannedStep(step=step, stage=stages[step.key], input=text, input_error=error)
        )
    return tuple(planned)


async def _input(
    templates: Templates, plan: Plan, step: Step, prompt: str, context: Mapping[str, object]
) -> tuple[str | None, str | None]:
    if step.input_template is None:
        return composed(plan, step, prompt=prompt, context=context), None
    facts = template_facts(plan, step, prompt=prompt, context=context)
    try:
        return await templates.render(step.input_template, facts), None
    except TemplateFailed as error:
        return None, str(error)
