"""Plans as they are asked for and answered, before anything runs."""

from typing import Any
from uuid import UUID

from pydantic import AliasPath, Field

from app.domain.conditions import Condition
from app.domain.execution import ExecutionConfig
from app.domain.preview import Estimate
from app.domain.teams import InputSource, OnFailure
from app.schemas.base import Answer, Request
from app.schemas.executions import InputData


class PlanRequest(Request):
    """What would be executed; without it, a placeholder stands for the prompt."""

    input_data: InputData | None = None
    execution_config: ExecutionConfig = ExecutionConfig()


def _step(name: str, description: str | None = None) -> Any:  # noqa: ANN401  as Field()
    return Field(validation_alias=AliasPath("step", name), description=description)


class PlannedStepAnswer(Answer):
    """One agent's part in a plan."""

    key: str = _step("key")
    agent_id: UUID = _step("agent_id")
    agent_name: str = _step("agent_name")
    stage: int = Field(description="From 1; steps of one stage may run side by side.")
    needs: list[str] = _step("needs", "Keys of the steps that must have ended before: the edges.")
    input_source: InputSource = _step("input_source")
    sources: list[str] = _step("sources", "Whose outputs `agent_result` and `combined` take.")
    input_template: str | None = _step("input_template")
    conditions: list[Condition] = _step("conditions")
    on_failure: OnFailure = _step("on_failure")
    timeout_minutes: int | None = _step("timeout_minutes")
    input: str | None = Field(
        description="What the agent would be given; `[output of Name (key)]` stands for outputs."
    )
    input_error: str | None = Field(description="Why its template fails with these values.")


class PlanAnswer(Answer):
    """What an execution would do."""

    steps: list[PlannedStepAnswer] = Field(description="Whatever a step needs stands before it.")
    estimate: Estimate
    starts_now: bool = Field(description="False: it would wait for a free slot.")
