"""What a task is about: its subject, its form, its audience and its tone."""

import re
from dataclasses import dataclass

from renum_sandbox.agents.prompt import Prompt
from renum_sandbox.agents.text import ORDER_VERBS, clip, key_phrases, lower_first, sentences

_ORDER = re.compile(
    rf"^(?:please\s+)?(?:can you\s+|could you\s+)?(?:{'|'.join(sorted(ORDER_VERBS))})\b\s*"
    r"(?:(?:me|us)\s+)?(?:(?:an?|the|some|our|my|your)\s+)?",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"\b(?:for|about|on|of)\s+(?:our\s+|the\s+|an?\s+)?(.+)$", re.IGNORECASE)
# What follows describes the subject, it is not its name.
_SUBJECT_END = re.compile(
    r"[,;:(]|\s+(?:aimed|targeted|targeting|that|which|who|to|in|with|by|and)\s", re.IGNORECASE
)
_LONGEST_NAME = 60
# For a task that says little but its subject.
_EVERYDAY_POINTS = ["everyday use", "the first week", "a fair price", "good support"]
_LEAST_POINTS = 4
_NOT_A_POINT = frozenset({"language", "tone", "target_audience", "audience"})
_AUDIENCE = re.compile(
    r"\b(?:aimed at|targeted at|targeting|audience:?|for an audience of)\s+([^.;:\n]{3,60})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Brief:
    subject: str
    article: str  # "the ", "our " as the task says it before the subject, else empty
    audience: str  # as inside a sentence
    tone: str
    points: tuple[str, ...]  # four to six key phrases, most telling first


def read_brief(prompt: Prompt) -> Brief:
    """The brief of a prompt: context keys win over what the words of the task suggest."""
    task = prompt.task or prompt.material
    first = (sentences(task) or ["your project"])[0].rstrip(".!?:… ")
    rest = _ORDER.sub("", first)
    match = _SUBJECT.search(rest)
    form = rest[: match.start()].strip(" ,") if match else ""
    subject = match[1] if match else rest
    context = prompt.context
    audience = context.get("target_audience") or context.get("audience") or _audience(task)
    named = context.get("product") or context.get("subject") or context.get("topic")
    name = named or _SUBJECT_END.split(subject)[0].strip() or subject or first
    described = "\n".join([task, *(v for k, v in context.items() if k not in _NOT_A_POINT)])
    used = {form.lower(), name.lower()}
    points = [
        phrase
        for phrase in key_phrases(described, 10)
        if phrase.lower() not in used and not set(phrase.split()) <= set(audience.split())
    ]
    return Brief(
        subject=clip(name, _LONGEST_NAME),
        article=_article(name, task),
        audience=lower_first(clip(audience, _LONGEST_NAME)),
        tone=clip(context.get("tone", "clear and friendly"), 40),
        points=tuple((points + _EVERYDAY_POINTS)[: max(_LEAST_POINTS, min(6, len(points)))]),
    )


def _article(name: str, task: str) -> str:
    match = re.search(rf"\b(the|our|an?)\s+{re.escape(name)}", task, re.IGNORECASE)
    return f"{match[1].lower()} " if match else ""


def _audience(task: str) -> str:
    match = _AUDIENCE.search(task)
    return match[1].strip() if match else "newcomers"
