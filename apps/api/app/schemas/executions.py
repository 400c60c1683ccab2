"""Executions as they are asked for and answered (specification §4)."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, computed_field
from pydantic_core import PydanticCustomError

from app.domain.execution import ExecutionConfig
from app.domain.explain import WaitsFor
from app.domain.nesting import deeper_than
from app.domain.progress import ExecutionStatus, Progress
from app.domain.results import AgentStatus, RemoteStop
from app.schemas.base import Answer, Request
from app.schemas.paging import Pagination

MAX_CONTEXT_BYTES = 64 * 1024
MAX_CONTEXT_DEPTH = 20


def _bounded(context: dict[str, Any]) -> dict[str, Any]:
    if deeper_than(MAX_CONTEXT_DEPTH, context):
        raise PydanticCustomError(
            "too_deep", "must be nested at most {depth} levels deep", {"depth": MAX_CONTEXT_DEPTH}
        )
    if len(json.dumps(context, ensure_ascii=False).encode()) > MAX_CONTEXT_BYTES:
        raise PydanticCustomError("too_large", "must be at most 64 KiB as JSON")
    return context


class InputData(Request):
    prompt: Annotated[
        str,
        StringConstraints(min_length=1, max_length=100_000, pattern=r"\S"),
        Field(examples=["Create a marketing campaign for product X"]),
    ]
    context: Annotated[dict[str, Any], AfterValidator(_bounded)] = Field(
        {}, examples=[{"product": "Product X", "target_audience": "Young professionals"}]
    )


class ExecuteTeam(Request):
    input_data: InputData
    execution_config: ExecutionConfig = ExecutionConfig()


class ExecutionSummaryAnswer(Answer):
    execution_id: UUID = Field(validation_alias="id")
    team_id: UUID
    team_name: str
    team_version: int | None = Field(description="Of the team when this began; see its `versions`.")
    status: ExecutionStatus
    created_at: datetime
    started_at: datetime = Field(description="While pending: when it was accepted.")
    estimated_completion: datetime
    completed_at: datetime | None
    cancelled_at: datetime | None
    progress: Progress
    error_code: str | None
    error_message: str | None
    queue_position: int | None = Field(description="From 1, while pending.")
    retry_of: UUID | None = Field(description="The execution whose results this one took over.")


class ResultAnswer(Answer):
    key: str
    agent_id: UUID
    agent_name: str
    status: AgentStatus
    output: str | None = Field(
        description="Over 256 KiB: the beginning; all of it at `results/{key}/output`."
    )
    output_bytes: int | None = Field(description="Of the whole output, in UTF-8.")
    output_truncated: bool
    needs_input: bool
    error_code: str | None
    error_message: str | None
    execution_time_ms: int
    attempts: int
    input: str | None = Field(
        description="Over 256 KiB: the beginning; all of it at `results/{key}/input`."
    )
    input_bytes: int | None
    input_truncated: bool
    reused: bool = Field(description="Taken over from the execution that this one retries.")
    usage: dict[str, int] | None = Field(description="Suna gives none: null.")
    remote_stop: RemoteStop
    started_at: datetime | None
    completed_at: datetime | None


class LogAnswer(Answer):
    seq: int
    timestamp: datetime
    level: str
    message: str
    agent_id: UUID | None


class ExecutionAnswer(ExecutionSummaryAnswer):
    """One execution in full."""

    prompt: str = Field(exclude=True)
    context: dict[str, Any] = Field(exclude=True)
    execution_config: ExecutionConfig = Field(validation_alias="config")
    results: list[ResultAnswer] = Field(description="For every agent of the plan, in plan order.")
    logs: list[LogAnswer] = Field(description="The latest 500 lines.")
    logs_truncated: bool = Field(description="Whether there are, or were, more lines.")
    seq: int = Field(description="The number of the last event of this execution seen here.")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def input_data(self) -> dict[str, Any]:
        """As it was asked for."""
        return {"prompt": self.prompt, "context": self.context}


class WaitAnswer(Answer):
    """One thing that an execution waits for."""

    waits_for: WaitsFor
    detail: str
    since: datetime
    due_at: datetime | None
    key: str | None
    agent_name: str | None
    attempt: int | None


class ExplanationAnswer(Answer):
    """What an execution waits for, and what happens next."""

    status: ExecutionStatus
    summary: str = Field(description="One sentence.")
    waits: list[WaitAnswer]
    next: str
    next_at: datetime | None = Field(description="Null when nobody can know.")
    queue_position: int | None
    deadline_at: datetime | None = Field(description="When it is stopped, while it runs.")


class CancelledAnswer(Answer):
    execution_id: UUID = Field(validation_alias="id")
    status: ExecutionStatus
    cancelled_at: datetime


class ExecutionsAnswer(Answer):
    executions: list[ExecutionSummaryAnswer]
    pagination: Pagination


class LogsAnswer(Answer):
    logs: list[LogAnswer]
    next_after: int | None = Field(description="Ask with this `after` for the lines that follow.")
