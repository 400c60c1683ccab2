"""
What an agent says in a run and when: a pure function of the run's row.

A run is a list of turns (a message of the model, perhaps with a tool call), cut into beats:
moments at which something becomes visible. Streams play beats, messages are the closed turns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from renum_sandbox.agents import catalogue
from renum_sandbox.agents.prompt import Markers, without_markers
from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.runs import ASKING, Ending, Engine, Run

_MAX_PIECES = 150
_THINKING = 0.2  # the share of a run before its first word
_LAST_WORD = 0.98
_SHORTEST_S, _LONGEST_S = 1.5, 3.0
_WORDS_A_SECOND = 120


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: dict[str, str]
    result: str | None = None  # None for calls that end the run


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the model: prose, then perhaps a call."""

    number: int
    prose: str
    call: ToolCall | None = None
    last: bool = True

    def as_xml(self) -> str:
        """The message as era A has it: a call is markup inside the text."""
        if self.call is None:
            return self.prose
        parameters = "\n".join(
            f'<parameter name="{name}">{value}</parameter>'
            for name, value in self.call.arguments.items()
        )
        block = (
            f'<function_calls>\n<invoke name="{self.call.name}">\n{parameters}\n'
            "</invoke>\n</function_calls>"
        )
        return f"{self.prose}\n\n{block}" if self.prose else block


class Kind(Enum):
    OPENS = auto()
    TEXT = auto()
    ARGUMENTS = auto()  # a piece of a native tool call's arguments (era B)
    CLOSES = auto()
    ERROR = auto()


@dataclass(frozen=True, slots=True)
class Beat:
    at: float  # seconds since the epoch
    kind: Kind
    turn: Turn
    text: str = ""


def duration_s(text: str, marks: Markers, speed: float) -> float:
    """How long a run takes: what its prompt says, else by the length of its answer."""
    if marks.sleep_s is not None:
        return marks.sleep_s
    natural = 1.2 + len(text.split()) / _WORDS_A_SECOND
    return speed * min(max(natural, _SHORTEST_S), _LONGEST_S)


def turns(run: Run) -> list[Turn]:
    """Every message that the run would write if it went on to its end."""
    if run.ending in (Ending.EMPTY, Ending.LIE):
        return []
    if run.engine is Engine.MODEL:
        return [Turn(1, run.model_text)] if run.model_text else []
    if run.ending in ASKING:
        return [_asking(run)]
    agent = catalogue.find(run.agent_id)
    assert agent is not None  # noqa: S101  a run starts for known agents only
    text = catalogue.answer(agent.id, without_markers(run.prompt))
    if run.ending is Ending.OLD_TAGS:
        return [Turn(1, f"<complete>{text}</complete>")]
    if run.ending is Ending.ATTACHMENTS:
        arguments = {"text": text, "attachments": "/workspace/answer.md"}
        return [Turn(1, "The task is done.", ToolCall("complete", arguments))]
    if not agent.answers_by_tool:
        return [Turn(1, text)]
    look = ToolCall("view_tasks", {"scope": "current"}, result="1 task: answer the user.")
    return [
        Turn(1, "Let me read the text first.", look, last=False),
        Turn(2, "", ToolCall("complete", {"text": text})),
    ]


def _asking(run: Run) -> Turn:
    question = catalogue.question(run.prompt)
    if run.ending is Ending.OLD_ASK:
        return Turn(1, f"<ask>{question}</ask>")
    name = "ask" if run.ending is Ending.ASK else "web_browser_takeover"
    return Turn(1, "", ToolCall(name, {"text": question}))


def beats(run: Run) -> list[Beat]:
    """All beats of a run whose end is known, in order."""
    if run.ends_at is None:
        return []
    pieces = [(kind, turn, text) for turn in turns(run) for kind, text in _parts(run, turn)]
    if run.ending in (Ending.FAIL, Ending.BILLING):
        pieces = pieces[: len(pieces) // 2]  # it breaks in the middle of a sentence
    elif run.ending is Ending.LIE:
        pieces = [(Kind.ERROR, Turn(1, ""), "The model provider answered with an error")]
    start, end = _THINKING, _LAST_WORD
    step = (end - start) / max(1, len(pieces) - 1)
    length = run.ends_at - run.started_at
    return [
        Beat(run.started_at + length * (start + step * index), kind, turn, text)
        for index, (kind, turn, text) in enumerate(pieces)
    ]


def closed_turns(played: Sequence[Beat], until: float) -> list[tuple[Turn, float]]:
    """The messages that exist at a moment, each with the time it was written."""
    return [(b.turn, b.at) for b in played if b.kind is Kind.CLOSES and b.at <= until]


def _parts(run: Run, turn: Turn) -> list[tuple[Kind, str]]:
    if run.dialect is not Dialect.START:
        said = [(Kind.TEXT, piece) for piece in _pieces(turn.as_xml())]
    else:
        said = [(Kind.TEXT, piece) for piece in _pieces(turn.prose)]
        if turn.call is not None:
            text = turn.call.arguments.get("text", "")
            said += [(Kind.ARGUMENTS, piece) for piece in _pieces(text)]
    return [(Kind.OPENS, ""), *said, (Kind.CLOSES, "")]


def _pieces(text: str) -> list[str]:
    """Word by word; long texts in groups of words, so that a run has few hundred frames."""
    words = re.findall(r"\s*\S+|\s+$", text)
    size = -(-len(words) // _MAX_PIECES) or 1
    return ["".join(words[i : i + size]) for i in range(0, len(words), size)]
