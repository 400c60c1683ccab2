"""The short form of `make fuzz`: a real server keeps to its OpenAPI document, whatever is asked."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_answer_is_one_that_the_document_knows() -> None:
    command = [sys.executable, "-m", "bench.fuzz", "--cases", "3", "--at-least", "1000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
