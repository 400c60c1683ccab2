"""What commands print."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from renum.cli.text import clean

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout, and errors as JSON on stderr.")
]


def console(*, stderr: bool = False) -> Console:
    """A console that takes no text for markup."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def echo(line: str) -> None:
    sys.stdout.write(line + "\n")


def print_json(value: BaseModel | dict[str, Any]) -> None:
    echo(json.dumps(value, ensure_ascii=False, indent=2, default=_as_it_came))


def print_json_line(value: BaseModel | dict[str, Any]) -> None:
    """For streams: one line, at once."""
    echo(json.dumps(value, ensure_ascii=False, default=_as_it_came))
    sys.stdout.flush()


def _as_it_came(model: object) -> object:
    """The server's answer, with neither more nor fewer fields."""
    if not isinstance(model, BaseModel):
        raise TypeError(f"{type(model).__name__} is not JSON")
    return model.model_dump(mode="json", exclude_unset=True)


def local_time(moment: datetime | None) -> str:
    """In the time of this place; empty for None."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def print_table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people; in a pipe, lines with tabs between their fields."""
    cleaned = [["" if cell is None else clean(str(cell)) for cell in row] for row in rows]
    out = console()
    if not out.is_terminal:
        for row in cleaned:
            echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=name == "ID", overflow="fold")
    for row in cleaned:
        table.add_row(*row)
    out.print(table)
