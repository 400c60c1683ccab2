"""The short form of `make chaos`: processes are killed, and nothing is lost or done twice."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_while_everything_is_killed() -> None:
    command = [sys.executable, "-m", "bench.chaos", "--executions", "50", "--seconds", "15"]
    command += ["--untimed"]
    done = subprocess.run(
        [*command, "--seed", "11"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
