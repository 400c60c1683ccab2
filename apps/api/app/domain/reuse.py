"""Which results of an ended execution a retry takes over, and which steps run again."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from app.domain.results import AgentResult, AgentStatus, RemoteStop
from app.domain.workflow import Plan, Step


def reusable(
    plan: Plan, results: Mapping[str, AgentResult], holds: Callable[[Step], bool]
) -> tuple[str, ...]:
    """
    Keys of the completed steps for which a retry could only repeat what they were given.

    A step runs again when it did not complete, or when anything that it needs runs again: its
    input would be another. A step that its conditions skipped will be skipped again, and so does
    not disturb what follows; *holds* says whether the conditions of a step held.
    """
    stable: set[str] = set()
    for step in plan.steps:
        if not stable.issuperset(step.needs):
            continue
        status = results[step.key].status
        skipped_again = status is AgentStatus.SKIPPED and not holds(step)
        if status is AgentStatus.COMPLETED or skipped_again:
            stable.add(step.key)
    return tuple(
        s.key
        for s in plan.steps
        if s.key in stable and results[s.key].status is AgentStatus.COMPLETED
    )


def taken_over(result: AgentResult) -> AgentResult:
    """The result as it is shown in a retry: what it cost and when it ran stay true."""
    return replace(
        result,
        reused=True,
        run_key=None,
        run=None,
        remote_stop=RemoteStop.NOT_NEEDED,
        history=(),
    )
