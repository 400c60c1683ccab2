"""
The code blocks of our documents, and what is to be done with each.

A block is run, unless comments before it say otherwise:

    <!-- is: Schema -->        JSON that keeps to this schema of openapi.json, or is this message
    <!-- file: name -->        is first stored under this name, for the blocks of its page
    <!-- run with: code -->    is run with this line of code after it
    <!-- not run: reason -->   cannot be run here, and why

`sh`, `python` and `js` are run, in the order of the page and in one shell; `text` is no code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[4]
RUNNABLE = ("sh", "python", "js")
MARKS = ("is", "file", "run with", "not run")
_BLOCK = re.compile(
    r"(?P<marks>(?:^ *<!--[^\n]*-->\n+)*)"
    r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- ([a-z ]+): (.+) -->")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    code: str
    marks: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.language in RUNNABLE and "not run" not in self.marks


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text()
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start("indent")) + 1,
            language=found["language"],
            code=dedent(found["code"]),
            marks=dict(_MARK.findall(found["marks"])),
        )
        for found in _BLOCK.finditer(text)
    ]


def pages() -> Iterator[Path]:
    """Every document that people read to use or to change Renum."""
    yield from sorted(ROOT.glob("*.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))
