"""A team's plan as it is shown before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.domain.inputs import Inputs
from app.domain.reports import History
from app.domain.results import AgentResult, AgentStatus
from app.domain.texts import LongTexts
from app.domain.workflow import Plan, Step


class Basis(StrEnum):
    """What an estimate rests on."""

    #: The team's own completed runs.
    HISTORY = "history"
    #: Nothing has completed yet: it takes at most so long.
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a run takes, in seconds, from `samples` runs of this team."""

    seconds: float
    basis: Basis
    samples: int
    p50_s: float | None
    p90_s: float | None

    @classmethod
    def of(cls, history: History, *, timeout_s: float) -> "Estimate":
        return cls(
            seconds=timeout_s if history.p50_s is None else history.p50_s,
            basis=Basis.TIMEOUT if history.p50_s is None else Basis.HISTORY,
            samples=history.samples,
            p50_s=history.p50_s,
            p90_s=history.p90_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """A step, and what it will be given; `[output of Name (key)]` stands for what an agent will
    have answered."""

    step: Step
    #: From 1; steps of one stage may run side by side.
    stage: int
    input: str | None
    #: Why the input cannot be made, when its template fails with these values.
    input_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamPlan:
    """What an execution would do. `starts_now` is false when it would have to wait for a slot."""

    steps: tuple[PlannedStep, ...]
    estimate: Estimate
    starts_now: bool


def preview_inputs(plan: Plan, *, prompt: str, context: Mapping[str, object]) -> Inputs:
    """The inputs of a run in which every agent has answered, each output a mark of its place."""
    answered = {
        s.key: AgentResult(
            key=s.key,
            agent_id=s.agent_id,
            agent_name=s.agent_name,
            status=AgentStatus.COMPLETED,
            output=f"[output of {s.agent_name} ({s.key})]",
        )
        for s in plan.steps
    }
    return Inputs(plan=plan, prompt=prompt, context=context, results=answered, texts=LongTexts())
