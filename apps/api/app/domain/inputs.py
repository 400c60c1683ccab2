"""What a step is given: put together from the prompt, the context and the results before it."""

from collections.abc import Callable, Mapping
from typing import Any

from app.domain import prompts
from app.domain.results import AgentResult
from app.domain.teams import InputSource
from app.domain.workflow import Plan, Step

Results = Mapping[str, AgentResult]
#: The whole output of a step, however long; None when it has none.
Read = Callable[[str], str | None]


def facts(
    prompt: str, context: Mapping[str, object], results: Results, read: Read
) -> dict[str, Any]:
    """What conditions and templates look at."""
    return {
        "initial_prompt": prompt,
        "context": context,
        "results": {k: {"status": r.status.value, "output": read(k)} for k, r in results.items()},
    }


def sources(plan: Plan, step: Step, results: Results) -> tuple[str, ...]:
    """The steps whose outputs make the input of *step*, in plan order."""
    match step.input_source:
        case InputSource.COMBINED | InputSource.AGENT_RESULT:
            return step.sources
        case InputSource.PREVIOUS_OUTPUT:
            return _last_with_output(plan, step, results)
    return ()


def compose(
    plan: Plan,
    step: Step,
    *,
    prompt: str,
    context: Mapping[str, object],
    results: Results,
    read: Read,
) -> str:
    """The input of a step without a template (api.md §3, `input_source`)."""
    outputs = [
        prompts.Output(key, results[key].agent_name, text)
        for key in sources(plan, step, results)
        if (text := read(key)) is not None
    ]
    if step.input_source is InputSource.COMBINED:
        return prompts.combined(prompt, context, outputs)
    return prompts.handed_over(outputs) if outputs else prompts.task(prompt, context)


def _last_with_output(plan: Plan, step: Step, results: Results) -> tuple[str, ...]:
    """What the step directly follows, looking through steps that were skipped or failed."""
    found: dict[str, None] = {}
    for key in step.follows:
        if results[key].output is not None:
            found[key] = None
        else:
            found.update(dict.fromkeys(_last_with_output(plan, plan.step(key), results)))
    return tuple(found)
