"""The short form of `python -m bench.rolling`: a deploy under 200 live sockets loses no event."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_rolling_restart_loses_no_event() -> None:
    command = [sys.executable, "-m", "bench.rolling", "--sockets", "200", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
