"""Content Strategist: a structured outline from the key phrases of the task."""

from renum_sandbox.agents.brief import read_brief
from renum_sandbox.agents.prompt import Prompt
from renum_sandbox.agents.text import clip, joined, sentence_case, sentences

TITLE = "# Outline: "
"""How an outline starts; the copywriter recognises one by it."""

# Of each section its heading and two notes.
_ANGLES = (
    (
        "Why {point} matters now",
        "Start from a moment that {audience} know.",
        "Name the cost of doing nothing.",
    ),
    (
        "What changes with {point}",
        "Say in one sentence what is new.",
        "Give one fact that can be checked.",
    ),
    (
        "How {point} works in practice",
        "Show three steps, the first of them today.",
        "Answer the most likely objection.",
    ),
    (
        "Proof behind {point}",
        "Use a number, a name or a date from the brief.",
        "Let a customer speak, not the brand.",
    ),
)


def work(prompt: Prompt) -> str:
    """Title, goal, audience, four sections with two notes each, and a call to action."""
    brief = read_brief(prompt)
    call = f"Invite {brief.audience} to try {brief.article}{brief.subject} this week."
    lines = [
        f"{TITLE}{sentence_case(brief.subject)}",
        "",
        f"**Goal:** {_goal(prompt)}",
        f"**Audience:** {sentence_case(brief.audience)}",
        f"**Tone:** {sentence_case(brief.tone)}",
        "",
    ]
    for number, (point, angle) in enumerate(zip(brief.points, _ANGLES, strict=False), start=1):
        heading, *notes = (part.format(point=point, audience=brief.audience) for part in angle)
        lines.append(f"{number}. **{heading}**")
        lines.extend(f"   - {note}" for note in notes)
    lines += [
        "",
        f"**Call to action:** {call}",
        f"**Key phrases:** {joined(brief.points)}",
    ]
    if prompt.results:
        last = prompt.results[-1]
        opening = clip((sentences(last.text) or [""])[0], 100)
        lines.append(f"**Builds on:** {last.author}: {opening}")
    return "\n".join(lines)


def _goal(prompt: Prompt) -> str:
    first = clip((sentences(prompt.task) or ["Say what matters, to those it matters to."])[0], 140)
    return first if first.endswith((".", "!", "?", "…")) else f"{first}."
