"""Shells complete the command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Renum

COMMAND = Path(sys.executable).with_name("renum")


def completed(shell: str, **more: str) -> list[str]:
    """What the command answers to the script of a shell."""
    done = subprocess.run(
        [COMMAND],
        env={**os.environ, "_RENUM_COMPLETE": f"complete_{shell}", **more},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_that_asks_the_command(renum: Renum, shell: str) -> None:
    script = renum("completion", shell)
    assert script.exit_code == 0
    assert f"_RENUM_COMPLETE=complete_{shell}" in script.stdout


def test_another_shell_is_refused(renum: Renum) -> None:
    assert renum("completion", "csh").exit_code == 2


def test_bash_completes_commands() -> None:
    bash = shutil.which("bash")
    assert bash is not None
    script = f"""
        eval "$({COMMAND} completion bash)"
        COMP_WORDS=(renum teams ex) COMP_CWORD=2
        _renum_completion {COMMAND}
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("export\n", "")


def test_zsh_and_fish_are_answered() -> None:
    words = "renum notifications "
    asked = {"_TYPER_COMPLETE_ARGS": words}
    zsh = " ".join(completed("zsh", **asked))
    assert "list" in zsh
    assert "read" in zsh
    fish = " ".join(completed("fish", **asked, _TYPER_COMPLETE_FISH_ACTION="get-args"))
    assert "list" in fish
    assert "read" in fish
