"""The official client of Supabase Auth takes the sandbox for the real thing."""

import os
import subprocess
from pathlib import Path

import pytest
from apps.sandbox.tests.clients import MovableClock

from renum_sandbox import constants
from renum_sandbox.testing import running_sandbox

SCRIPT = Path(__file__).with_name("official_client.py")
ENVIRONMENT = Path(__file__).parents[3] / ".venv-supabase-auth"


@pytest.mark.slow
def test_it_signs_in_refreshes_and_signs_out() -> None:
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        pytest.fail(f"run `make {ENVIRONMENT.name}/.ready` first: this test needs it")
    clock = MovableClock()
    steps = []
    with (
        running_sandbox(clock=clock) as sandbox,
        subprocess.Popen(
            [python, SCRIPT, sandbox.url, sandbox.publishable_key, constants.DEMO_PASSWORD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_PROXY": "*"},
        ) as process,
    ):
        for line in process.stdout:
            word, _, seconds = line.strip().partition(" ")
            if word == "forward":
                clock.forward(float(seconds))
                process.stdin.write("\n")
                process.stdin.flush()
            else:
                steps.append(word)
        failure = process.stderr.read()
    assert process.returncode == 0, f"after {steps}:\n{failure}"
    assert steps[-1] == "tokens_that_are_none"
