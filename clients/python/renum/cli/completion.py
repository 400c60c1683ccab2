"""`renum completion`."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from renum.cli.output import echo


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")],
) -> None:
    """
    Print what makes a shell complete this command.

    bash: eval "$(renum completion bash)" in ~/.bashrc. zsh: the same with zsh in ~/.zshrc, after
    compinit. fish: renum completion fish > ~/.config/fish/completions/renum.fish
    """
    echo(
        get_completion_script(prog_name="renum", complete_var="_RENUM_COMPLETE", shell=shell.value)
    )
