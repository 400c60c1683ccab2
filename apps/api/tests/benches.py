"""Runs programs of `bench/`, in their short forms."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def assert_passes(bench: str, *arguments: str) -> None:
    """Run `python -m bench.<bench>`, which exits with 0 when every promise was held."""
    # Not measured for coverage: it would make whole stacks of processes half as fast.
    env = {name: v for name, v in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-m", f"bench.{bench}", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
