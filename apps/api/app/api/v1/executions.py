"""Executions (specification §4)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from structlog.contextvars import bind_contextvars

from app.api.deps import Call, CurrentTelemetry, PageQuery
from app.api.errors import problem
from app.api.idempotency import ONCE_PROBLEMS, MayRepeat, response_of
from app.api.section import Section
from app.domain.execution import Execution
from app.domain.execution_errors import (
    ExecutionFinished,
    ExecutionNotFound,
    LogsExpired,
    NotRetryable,
    TextNotFound,
    TooManyExecutions,
)
from app.domain.explain import Explanation
from app.domain.progress import ExecutionStatus
from app.domain.reports import ExecutionFilters, ExecutionReport
from app.domain.teams import TeamNotActive, TeamNotFound
from app.domain.texts import TextField
from app.domain.timeline import Timeline
from app.schemas.base import Text, Timestamp
from app.schemas.executions import (
    CancelledAnswer,
    ExecutionAnswer,
    ExecutionsAnswer,
    ExplanationAnswer,
    LogsAnswer,
)
from app.schemas.paging import Pagination
from app.schemas.timelines import TimelineAnswer
from app.usecases import executions

router = Section(prefix="/executions", tags=["Executions"])


@router.get("", response_model=ExecutionsAnswer)
async def list_executions(
    call: Call,
    page: PageQuery,
    team_id: UUID | None = None,
    status: Annotated[list[ExecutionStatus] | None, Query(description="Repeatable.")] = None,
    created_after: Timestamp | None = None,
    created_before: Timestamp | None = None,
) -> dict[str, object]:
    """List the caller's executions, newest first, without results and logs."""
    filters = ExecutionFilters(
        team_id=team_id,
        statuses=tuple(status or ()),
        created_after=created_after,
        created_before=created_before,
    )
    found = await executions.list_executions(
        call.services.db, page, user_id=call.user.id, filters=filters
    )
    return {"executions": found.items, "pagination": Pagination.of(page, found.total)}


@router.get("/{execution_id}", response_model=ExecutionAnswer, responses=problem(ExecutionNotFound))
async def get_execution(execution_id: UUID, call: Call) -> ExecutionReport:
    """Get an execution with its results so far and its latest log lines."""
    return await executions.get_execution(call.services.db, execution_id, user_id=call.user.id)


@router.get(
    "/{execution_id}/logs",
    response_model=LogsAnswer,
    responses=problem(ExecutionNotFound, LogsExpired),
)
async def list_execution_logs(
    execution_id: UUID,
    call: Call,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="The last `seq` known.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> dict[str, object]:
    """Get all log lines, page by page, oldest first."""
    lines = await executions.execution_logs(
        call.services.db, execution_id, user_id=call.user.id, after=after, limit=limit
    )
    return {"logs": lines, "next_after": lines[-1].seq if len(lines) == limit else None}


@router.get(
    "/{execution_id}/explain",
    response_model=ExplanationAnswer,
    responses=problem(ExecutionNotFound),
)
async def explain_execution(execution_id: UUID, call: Call) -> Explanation:
    """Say what an execution waits for, since when, and what happens next and when."""
    return await executions.explain_execution(
        call.services.db, call.services.limits, execution_id, user_id=call.user.id
    )


@router.get(
    "/{execution_id}/timeline",
    response_model=TimelineAnswer,
    responses=problem(ExecutionNotFound),
)
async def get_execution_timeline(execution_id: UUID, call: Call) -> Timeline:
    """Show where the time of an execution went: what ran, what waited, and for what."""
    return await executions.execution_timeline(
        call.services.db, execution_id, user_id=call.user.id, now=call.services.clock()
    )


@router.get(
    "/{execution_id}/results/{key}/{field}",
    response_class=PlainTextResponse,
    responses=problem(ExecutionNotFound, TextNotFound),
)
async def get_result_text(
    execution_id: UUID, key: Text, field: TextField, call: Call
) -> StreamingResponse:
    """Get the whole input or output of an agent, as plain text, however long it is."""
    text = await executions.open_text(
        call.services.db, execution_id, key, field, user_id=call.user.id
    )
    return StreamingResponse(text, media_type="text/plain; charset=utf-8")


@router.post(
    "/{execution_id}/retry",
    response_model=ExecutionAnswer,
    status_code=202,
    responses=problem(
        ExecutionNotFound,
        NotRetryable,
        TeamNotFound,
        TeamNotActive,
        TooManyExecutions,
        *ONCE_PROBLEMS,
    ),
)
async def retry_execution(
    execution_id: UUID,
    call: Call,
    telemetry: CurrentTelemetry,
    request: Request,
    may_repeat: MayRepeat,
) -> Response:
    """Run again what a failed or cancelled execution did not complete; the rest is reused."""

    def location(report: ExecutionReport) -> str:
        return str(request.app.url_path_for("get_execution", execution_id=report.id))

    idempotent = may_repeat.answering(ExecutionAnswer, 202, location)
    report = await executions.retry_execution(
        call.services.db,
        call.services.new_id,
        call.services.limits,
        execution_id,
        user_id=call.user.id,
        now=call.services.clock(),
        idempotent=idempotent,
        trace_context=telemetry.tracing.context(),
    )
    bind_contextvars(execution_id=str(report.id))
    return response_of(idempotent.answer(report))


@router.post(
    "/{execution_id}/cancel",
    response_model=CancelledAnswer,
    responses=problem(ExecutionNotFound, ExecutionFinished),
)
async def cancel_execution(execution_id: UUID, call: Call) -> Execution:
    """Cancel an execution at once; what runs at Suna is stopped."""
    return await executions.cancel_execution(
        call.services.db,
        call.services.new_id,
        call.services.limits,
        execution_id,
        user_id=call.user.id,
        now=call.services.clock(),
    )
