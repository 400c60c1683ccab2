"""What an agent was given: the labelled sections that Renum sends, or just text."""

import json
import re
from dataclasses import dataclass

# Only these headings divide a prompt. Results bring headings of their own, which must not.
_HEADING = re.compile(
    r"^#{1,3}[ \t]+(?:(?:(?P<task>Task|Prompt|Initial prompt)|(?P<context>Context))[ \t]*:?[ \t]*"
    r"|Results? (?:of|from) (?P<result>[^\n]+))$",
    re.MULTILINE | re.IGNORECASE,
)
_MARKER = re.compile(r"\[\[(?P<name>sleep|late|fail|ask|empty)(?:=(?P<value>\d+(?:\.\d+)?))?\]\]")
_CONTEXT_LINE = re.compile(r"^\s*[-*]?\s*\**([\w -]{1,40}?)\**\s*:\s*(.+)$", re.MULTILINE)

MAX_CHARS = 20_000
"""Agents read this much of a part; work on text is linear, but a demo is no benchmark."""


@dataclass(frozen=True, slots=True)
class Result:
    """The output of an agent that worked before; `author` as Renum labels it."""

    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    task: str
    context: dict[str, str]
    results: tuple[Result, ...]

    @property
    def material(self) -> str:
        """The text to work on: the last result when there is one, else the task."""
        return self.results[-1].text if self.results else _without_order(self.task)


@dataclass(frozen=True, slots=True)
class Markers:
    """What a test asks for inside its prompt; see the README."""

    sleep_s: float | None = None
    late_s: float | None = None
    fail: bool = False
    ask: bool = False
    empty: bool = False

    @property
    def any(self) -> bool:
        return self != Markers()


def markers(text: str) -> Markers:
    """The markers of a prompt; of one that stands there twice, the last."""
    found = {match["name"]: match["value"] for match in _MARKER.finditer(text)}
    seconds = {name: float(found[name]) for name in ("sleep", "late") if found.get(name)}
    return Markers(
        sleep_s=seconds.get("sleep"),
        late_s=seconds.get("late"),
        fail="fail" in found,
        ask="ask" in found,
        empty="empty" in found,
    )


def without_markers(text: str) -> str:
    return _MARKER.sub("", text).strip()


def parse(text: str) -> Prompt:
    """Never fails: a prompt without sections is all task."""
    text = without_markers(text)
    headings = list(_HEADING.finditer(text))
    task = [text[: headings[0].start()] if headings else text]
    context = ""
    results: list[Result] = []
    ends = [h.start() for h in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=False):
        body = text[heading.end() : end].strip()[:MAX_CHARS]
        if heading["result"]:
            results.append(Result(heading["result"].strip(" \t:"), body))
        elif heading["context"]:
            context = body
        else:
            task.append(body)
    full_task = "\n".join(part.strip() for part in task if part.strip())[:MAX_CHARS]
    return Prompt(full_task, _context(context), tuple(r for r in results if r.text))


def _context(body: str) -> dict[str, str]:
    """The context as JSON object or as `key: value` lines; nested values as they are written."""
    fenced = re.sub(r"^```\w*\n|\n```$", "", body)
    try:
        parsed = json.loads(fenced)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        pairs = [(str(key), _shown(value)) for key, value in parsed.items()]
    else:
        pairs = _CONTEXT_LINE.findall(body)
    return {key.strip().lower().replace(" ", "_"): value.strip() for key, value in pairs}


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return json.dumps(value, ensure_ascii=False)


def _without_order(task: str) -> str:
    """`Translate this text: Hello` is about `Hello`; without such an opening, all of the task."""
    opening = re.match(
        r"(?:please\s+)?(?:translate|summari[sz]e|review|check|extract)\b[^:\n]{0,80}:\s+(?=\S)",
        task,
        re.IGNORECASE,
    )
    return task[opening.end() :] if opening else task
