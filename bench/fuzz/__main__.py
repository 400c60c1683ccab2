"""
`python -m bench.fuzz`: schemathesis asks a real server everything that its OpenAPI document allows,
and much that it does not.

Wanted: no answer that the document does not know, nothing accepted that it forbids, no 5xx, and no
unhandled error in the log.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2

from bench.stack import Stack, running_stack
from renum_sandbox import constants

_SCHEMATHESIS = str(Path(sys.executable).parent / "schemathesis")
_CONFIG = str(Path(__file__).with_name("schemathesis.toml"))
_GENERATED = re.compile(r"([\d,]+) generated")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=600, help="of each operation and phase")
    parser.add_argument("--at-least", type=int, default=0, help="cases in all, or it fails")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--quick", action="store_true", help="without walking through every bound of every field"
    )
    asked = parser.parse_args()
    # Webhooks are only tried at addresses that resolve to nothing.
    with running_stack(apis=1, workers=1, settings={}) as stack:
        code, cases = fuzz(stack, asked.cases, asked.seed, quick=asked.quick)
        unhandled = errors_in_log(stack)
    print(f"{cases:,} cases, {unhandled} unhandled errors in the log")
    return code or int(unhandled > 0) or int(cases < asked.at_least)


def fuzz(stack: Stack, cases: int, seed: int, *, quick: bool) -> tuple[int, int]:
    """The exit code of schemathesis, and how many cases it made."""
    url = stack.api_urls[0]
    body = {"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD}
    token = httpx2.post(f"{url}/api/v1/auth/login", json=body).json()["access_token"]
    command = [_SCHEMATHESIS, "--config-file", _CONFIG, "run", f"{url}/openapi.json"]
    command += ["--no-color", "--max-examples", str(cases), "--seed", str(seed)]
    if quick:
        command += ["--phases", "examples,fuzzing,stateful"]
    # Pages of the event log, in place of streams without an end.
    command += ["--header", "Accept: application/json"]
    command += ["--header", f"Authorization: Bearer {token}"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=stack.folder,
        env={
            **os.environ,
            "PYTHONPATH": str(Path.cwd()),
            "SCHEMATHESIS_HOOKS": "bench.fuzz.hooks",
        },
    )
    made = 0
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if found := _GENERATED.search(line):
            made = int(found[1].replace(",", ""))
    return process.wait(), made


def errors_in_log(stack: Stack) -> int:
    """Exceptions that only the outermost guard has caught."""
    return (stack.logs / "api-0.log").read_text(errors="replace").count('"unhandled error"')


if __name__ == "__main__":
    sys.exit(main())
