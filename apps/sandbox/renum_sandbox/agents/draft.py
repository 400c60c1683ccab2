"""Copywriter: copy from an outline when there is one, else from the brief."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from renum_sandbox.agents import outline
from renum_sandbox.agents.brief import read_brief
from renum_sandbox.agents.prompt import Prompt
from renum_sandbox.agents.text import joined, lower_first, sentence_case

_NUMBERED = re.compile(r"^\s*\d+[.)]\s+\**(.+?)\**\s*$", re.MULTILINE)
_FIELD = re.compile(r"^\*\*(?P<name>[\w ]+):\*\*\s*(?P<value>.+)$", re.MULTILINE)

_PARAGRAPHS = (
    "Think of the last time you had to deal with {point}. For {audience}, it was probably one "
    "more thing to sort out between two meetings. {Subject} turns that around: it starts with "
    "what you already have, and it asks for five minutes instead of a plan.",
    "The difference is easy to say. With {subject}, {point} is no longer a promise: it is "
    "something you can see, compare and share. You know on day one whether it works for you.",
    "Getting there takes three small steps: look at where you stand, pick the one change that "
    "pays off first, and keep what works. {Subject} guides you through each of them, with {point} "
    "in mind from the start.",
    "And if you wonder whether it lasts: {point} is part of the design. That is why {audience} "
    "can rely on it on a busy Monday as much as on a quiet Friday.",
)


@dataclass(frozen=True, slots=True)
class _Plan:
    title: str
    subject: str  # the title as it stands inside a sentence, with its article
    audience: str
    sections: Sequence[tuple[str, str]]  # heading, point
    call: str


def work(prompt: Prompt) -> str:
    """A headline, an opening line, up to four short sections and a call to action."""
    found = _outline_of(prompt)
    plan = _from_outline(found, prompt) if found else _from_brief(prompt)
    values = {
        "subject": plan.subject,
        "Subject": sentence_case(plan.subject),
        "audience": plan.audience,
    }
    topics = joined(dict.fromkeys(point for _, point in plan.sections[:3]))
    lines = [
        f"# {sentence_case(plan.title)}, made for real days",
        "",
        f"*{sentence_case(topics)}: for {plan.audience}, in one place.*",
    ]
    for (heading, point), paragraph in zip(plan.sections, _PARAGRAPHS, strict=False):
        lines += ["", f"### {heading}", "", paragraph.format(point=point, **values)]
    lines += ["", f"**{plan.call}**"]
    return "\n".join(lines)


def _outline_of(prompt: Prompt) -> str | None:
    """The newest outline among the results, or the task itself when it is one."""
    texts = [prompt.task, *(result.text for result in prompt.results)]
    return next((t for t in reversed(texts) if outline.TITLE in t), None)


def _from_outline(text: str, prompt: Prompt) -> _Plan:
    title = text.partition(outline.TITLE)[2].partition("\n")[0].strip()
    fields = {m["name"].lower(): m["value"].strip() for m in _FIELD.finditer(text)}
    headings = _NUMBERED.findall(text)[: len(_PARAGRAPHS)]
    call = fields.get("call to action") or f"Try {title} this week."
    # The call says the title inside a sentence: take article and small letter from there.
    said = re.search(rf"\b(?:(?:the|our|an?) )?{re.escape(title)}", call, re.IGNORECASE)
    phrases = re.split(r", | and ", fields.get("key phrases", title))
    points = (phrases + [title] * len(headings))[: len(headings)]
    return _Plan(
        title=title,
        subject=said[0] if said else title,
        audience=lower_first(fields.get("audience") or read_brief(prompt).audience),
        sections=list(zip(headings, points, strict=True)),
        call=call,
    )


def _from_brief(prompt: Prompt) -> _Plan:
    brief = read_brief(prompt)
    subject = brief.article + brief.subject
    points = brief.points[:3]
    headings = ("Where it starts", "What changes for you", "How to begin")
    return _Plan(
        title=brief.subject,
        subject=subject,
        audience=brief.audience,
        sections=list(zip(headings, points, strict=True)),
        call=f"Try {subject} this week and tell us what you think.",
    )
