"""What a step is given: put together from the prompt, the context and the results before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain import prompts
from app.domain.results import AgentResult, AgentStatus
from app.domain.teams import InputSource
from app.domain.texts import LongTexts
from app.domain.workflow import Plan, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the steps of an execution are made from, and their conditions decided by."""

    plan: Plan
    prompt: str
    context: Mapping[str, object]
    results: Mapping[str, AgentResult]
    #: Outputs that are too long for their results, where they are at hand.
    texts: LongTexts

    def facts(self, keys: Iterable[str]) -> dict[str, Any]:
        """What conditions and templates look at; results of *keys* only."""
        return {
            "initial_prompt": self.prompt,
            "context": self.context,
            "results": {
                k: {"status": self.results[k].status.value, "output": self._output(k)} for k in keys
            },
        }

    def conditions_hold(self, step: Step) -> bool:
        """Whether a step may run, by its conditions."""
        facts = self.facts(step.asked)
        return all(condition.holds(facts) for condition in step.conditions)

    def compose(self, step: Step) -> str:
        """The input of a step without a template (api.md §3, `input_source`)."""
        outputs = [
            prompts.Output(key, self.results[key].agent_name, text)
            for key in self._sources(step)
            if (text := self._output(key)) is not None
        ]
        if step.input_source is InputSource.COMBINED:
            return prompts.combined(self.prompt, self.context, outputs)
        return prompts.handed_over(outputs) if outputs else prompts.task(self.prompt, self.context)

    def must_be_prepared(self, step: Step) -> bool:
        """Whether the input of a step cannot be made in passing: it has a template, or takes an
        output that has to be read first."""
        return bool(step.input_template or self.missing_for(step))

    def missing_for(self, step: Step) -> tuple[str, ...]:
        """Keys of the outputs that have to be read before the input of a step can be made."""
        if step.input_template:
            return self._missing(self.plan.earlier(step.key))
        return self._missing(self._sources(step))

    def missing_for_conditions(self) -> tuple[str, ...]:
        """Keys of the outputs that have to be read before `conditions_hold` can be asked of the
        steps that wait, and of those that were skipped."""
        undecided = (AgentStatus.PENDING, AgentStatus.SKIPPED)
        return self._missing(
            k for s in self.plan.steps if self.results[s.key].status in undecided for k in s.asked
        )

    def _sources(self, step: Step) -> tuple[str, ...]:
        """The steps whose outputs make the input of *step*, in plan order."""
        match step.input_source:
            case InputSource.COMBINED | InputSource.AGENT_RESULT:
                return step.sources
            case InputSource.PREVIOUS_OUTPUT:
                return self._last_with_output(step)
        return ()

    def _last_with_output(self, step: Step) -> tuple[str, ...]:
        """What the step directly follows, looking through steps that were skipped or failed."""
        found: dict[str, None] = {}
        for key in step.follows:
            if self.results[key].output is not None:
                found[key] = None
            else:
                found.update(dict.fromkeys(self._last_with_output(self.plan.step(key))))
        return tuple(found)

    def _missing(self, keys: Iterable[str]) -> tuple[str, ...]:
        return tuple(
            k
            for k in dict.fromkeys(keys)
            if self.results[k].output_truncated and self.texts.output(k) is None
        )

    def _output(self, key: str) -> str | None:
        result = self.results[key]
        if not result.output_truncated:
            return result.output
        whole = self.texts.output(key)
        if whole is None:
            raise ValueError(f"the output of {key} is not at hand: recall it first")
        return whole
