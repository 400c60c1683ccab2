"""Inputs and outputs of agents that are too long for a row: stored apart, their beginning kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: A longer text is stored apart.
MAX_INLINE_BYTES = 256 * 1024
#: Characters of a longer text that its row holds.
HEAD_CHARS = 16_384


class TextField(StrEnum):
    """Which text of a result."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class LongText:
    """A text on its way to the store."""

    key: str
    field: TextField
    text: str


@dataclass(slots=True)
class LongTexts:
    """The long texts of one execution that are at hand: new ones until they are stored, and
    outputs that were read for the next move. Short ones never come here."""

    _written: dict[tuple[str, TextField], str] = field(default_factory=dict)
    _recalled: dict[str, str] = field(default_factory=dict)

    def keep(self, key: str, which: TextField, text: str) -> tuple[str, int]:
        """What the row holds of a text, and the bytes of the whole."""
        size = len(text.encode(errors="replace"))
        if size <= MAX_INLINE_BYTES:
            return text, size
        self._written[key, which] = text
        return text[:HEAD_CHARS], size

    def recall(self, outputs: Mapping[str, str]) -> None:
        """Have outputs at hand, by key."""
        self._recalled.update(outputs)

    def output(self, key: str) -> str | None:
        """A whole output, when it is at hand."""
        return self._written.get((key, TextField.OUTPUT)) or self._recalled.get(key)

    def take(self) -> tuple[LongText, ...]:
        """What is to be stored; nothing is at hand any more."""
        taken = tuple(LongText(key, which, text) for (key, which), text in self._written.items())
        self._written.clear()
        self._recalled.clear()
        return taken
