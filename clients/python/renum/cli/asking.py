"""Questions before what cannot be undone."""

import sys

import typer

from renum.cli.exits import BadInput


def confirm(question: str) -> None:
    """
    Go on only after a yes.

    Raises:
        BadInput: there is nobody to ask.
        typer.Abort: the answer is no.
    """
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on: give --yes")
    typer.confirm(question, abort=True, err=True)
