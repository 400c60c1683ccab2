"""What an agent is given: the prompt, the context and earlier outputs, put together as text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """What an earlier agent of the run answered."""

    key: str
    agent_name: str
    text: str


def task(prompt: str, context: Mapping[str, object]) -> str:
    """The prompt, followed by the context when there is any: an agent cannot use what it is not
    told."""
    return f"{prompt}\n\n{_context(context)}" if context else prompt


def handed_over(outputs: Sequence[Output]) -> str:
    """One output as it is; several each under a heading that names its agent."""
    if len(outputs) == 1:
        return outputs[0].text
    return "\n\n".join(_section(output) for output in outputs)


def combined(prompt: str, context: Mapping[str, object], outputs: Sequence[Output]) -> str:
    """Everything, each part under its heading."""
    parts = [f"## Task\n{prompt}"]
    if context:
        parts.append(_context(context))
    parts += [_section(output) for output in outputs]
    return "\n\n".join(parts)


def _section(output: Output) -> str:
    return f"## Result of {output.agent_name} ({output.key})\n{output.text}"


def _context(context: Mapping[str, object]) -> str:
    lines = [
        f"- {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in context.items()
    ]
    return "\n".join(["## Context", *lines])
