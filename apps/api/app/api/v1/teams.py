"""Teams (specification §3)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from structlog.contextvars import bind_contextvars

from app.api.deps import Call, CurrentTelemetry, PageQuery
from app.api.errors import problem
from app.api.etags import IfMatch, IfNoneMatch, MalformedIfMatch, etag_of
from app.api.idempotency import ONCE_PROBLEMS, MayRepeat, response_of
from app.api.section import Section
from app.domain.agents import SunaRefused, SunaUnavailable
from app.domain.errors import Invalid
from app.domain.execution_errors import TooManyExecutions
from app.domain.preview import TeamPlan
from app.domain.reports import ExecutionReport
from app.domain.teams import (
    Team,
    TeamHasRunningExecutions,
    TeamNotActive,
    TeamNotFound,
    UnknownAgent,
    VersionMismatch,
)
from app.domain.workflow import WorkflowHasCycle
from app.schemas.base import Text
from app.schemas.executions import ExecuteTeam, ExecutionAnswer
from app.schemas.paging import Pagination
from app.schemas.plans import PlanAnswer, PlanRequest
from app.schemas.teams import (
    CreateTeam,
    TeamAnswer,
    TeamsAnswer,
    TeamVersionsAnswer,
    UpdateTeam,
)
from app.usecases import executions, plans, teams

router = Section(prefix="/teams", tags=["Teams"])

_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "You have this version."}}
_SAVING = (Invalid, UnknownAgent, WorkflowHasCycle, SunaRefused, SunaUnavailable)


@router.get("", response_model=TeamsAnswer)
async def list_teams(
    call: Call,
    page: PageQuery,
    search: Annotated[Text | None, Query(max_length=200)] = None,
) -> dict[str, object]:
    """List the caller's teams, newest first; `search` looks at name and description."""
    found = await teams.list_teams(call.services.db, page, user_id=call.user.id, search=search)
    return {"teams": found.items, "pagination": Pagination.of(page, found.total)}


@router.post(
    "", response_model=TeamAnswer, status_code=201, responses=problem(*_SAVING, *ONCE_PROBLEMS)
)
async def create_team(
    body: CreateTeam,
    call: Call,
    request: Request,
    may_repeat: MayRepeat,
) -> Response:
    """Create a team; it is saved only when it could be run."""

    def location(team: Team) -> str:
        return str(request.app.url_path_for("get_team", team_id=team.id))

    idempotent = may_repeat.answering(TeamAnswer, 201, location)
    team = await teams.create_team(
        call.services.db,
        call.agents,
        call.services.templates.examine,
        call.services.new_id,
        user_id=call.user.id,
        name=body.name,
        description=body.description,
        workflow_type=body.workflow_type,
        agents=[a.draft() for a in body.agents],
        now=call.services.clock(),
        idempotent=idempotent,
    )
    return response_of(idempotent.answer(team))


@router.post("/validate", response_model=PlanAnswer, responses=problem(*_SAVING))
async def validate_team(body: CreateTeam, call: Call) -> TeamPlan:
    """Check a team without saving it: its plan, or exactly what saving it would answer."""
    return await plans.validate_team(
        call.services.db,
        call.agents,
        call.services.templates,
        call.services.new_id,
        call.services.limits,
        user_id=call.user.id,
        workflow_type=body.workflow_type,
        agents=[a.draft() for a in body.agents],
    )


@router.get(
    "/{team_id}", response_model=TeamAnswer, responses={**problem(TeamNotFound), **_UNCHANGED}
)
async def get_team(
    team_id: UUID,
    call: Call,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Team | Response:
    """Get a team with its agents; `ETag` is its version."""
    team = await teams.get_team(call.services.db, team_id, user_id=call.user.id)
    tag = {"ETag": etag_of(team.version)}
    if team.version in if_none_match:
        return Response(status_code=304, headers=tag)
    response.headers.update(tag)
    return team


@router.get(
    "/{team_id}/versions", response_model=TeamVersionsAnswer, responses=problem(TeamNotFound)
)
async def list_team_versions(team_id: UUID, call: Call, page: PageQuery) -> dict[str, object]:
    """List what a team was like after each change, newest first; executions name theirs."""
    found = await teams.list_versions(call.services.db, page, team_id, user_id=call.user.id)
    return {"versions": found.items, "pagination": Pagination.of(page, found.total)}


@router.put(
    "/{team_id}",
    response_model=TeamAnswer,
    responses=problem(TeamNotFound, VersionMismatch, MalformedIfMatch, *_SAVING),
)
async def update_team(
    team_id: UUID,
    body: UpdateTeam,
    call: Call,
    response: Response,
    if_match: IfMatch,
) -> Team:
    """Change what is named; running executions keep the plan they began with."""
    changes = teams.TeamChanges(
        name=body.name,
        description=body.description,
        describes="description" in body.model_fields_set,
        workflow_type=body.workflow_type,
        status=body.status,
        agents=None if body.agents is None else [a.draft() for a in body.agents],
    )
    team = await teams.update_team(
        call.services.db,
        call.agents,
        call.services.templates.examine,
        call.services.new_id,
        team_id,
        user_id=call.user.id,
        changes=changes,
        if_match=if_match,
        now=call.services.clock(),
    )
    response.headers["ETag"] = etag_of(team.version)
    return team


@router.delete(
    "/{team_id}",
    status_code=204,
    responses=problem(TeamNotFound, VersionMismatch, MalformedIfMatch, TeamHasRunningExecutions),
)
async def delete_team(team_id: UUID, call: Call, if_match: IfMatch) -> None:
    """Delete a team; its executions stay readable."""
    await teams.delete_team(call.services.db, team_id, user_id=call.user.id, if_match=if_match)


@router.post("/{team_id}/plan", response_model=PlanAnswer, responses=problem(TeamNotFound))
async def plan_team(team_id: UUID, call: Call, body: PlanRequest | None = None) -> TeamPlan:
    """Show what an execution would do, and how long it takes, without running anything."""
    asked = body or PlanRequest()
    return await plans.plan_team(
        call.services.db,
        call.services.templates,
        call.services.limits,
        team_id,
        user_id=call.user.id,
        prompt=asked.input_data.prompt if asked.input_data else plans.PROMPT,
        context=asked.input_data.context if asked.input_data else {},
        config=asked.execution_config,
    )


@router.post(
    "/{team_id}/execute",
    response_model=ExecutionAnswer,
    status_code=202,
    tags=["Executions"],
    responses=problem(TeamNotFound, TeamNotActive, TooManyExecutions, *ONCE_PROBLEMS),
)
async def execute_team(
    team_id: UUID,
    body: ExecuteTeam,
    call: Call,
    telemetry: CurrentTelemetry,
    request: Request,
    may_repeat: MayRepeat,
) -> Response:
    """Start an execution; watch it on the WebSocket, or ask for it at `Location`."""

    def location(report: ExecutionReport) -> str:
        return str(request.app.url_path_for("get_execution", execution_id=report.id))

    idempotent = may_repeat.answering(ExecutionAnswer, 202, location)
    report = await executions.execute_team(
        call.services.db,
        call.services.templates.examine,
        call.services.new_id,
        call.services.limits,
        team_id,
        user_id=call.user.id,
        prompt=body.input_data.prompt,
        context=body.input_data.context,
        config=body.execution_config,
        now=call.services.clock(),
        idempotent=idempotent,
        trace_context=telemetry.tracing.context(),
    )
    bind_contextvars(execution_id=str(report.id))
    return response_of(idempotent.answer(report))
