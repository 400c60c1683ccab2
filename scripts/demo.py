"""
`make demo`: the whole stack, a team of three agents, and its run before your eyes.

Everything is done through what a user has: the server's command and the `renum` command line.
The task is PROMPT of the environment, or a default.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
DATA = ROOT / ".renum" / "demo"
TEAM_FILE = ROOT / "docs" / "examples" / "marketing-team.yaml"
TEAM = "Marketing Team"
EMAIL, PASSWORD = "ana@renum.example", "renum-demo"
DEFAULT_PROMPT = "Create a launch campaign for a reusable coffee cup made of oat husks"
READY = "renum-api ready "
START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0


def main() -> int:
    """Returns the exit code of the run."""
    prompt = os.environ.get("PROMPT", "").strip() or DEFAULT_PROMPT
    began = time.monotonic()
    say("Starting PostgreSQL, the sandbox and Renum ...")
    with server() as url, tempfile.TemporaryDirectory(prefix="renum-demo-") as config:
        say(f"Ready after {time.monotonic() - began:.1f} s. API documentation: {url}/docs")
        environment = {**os.environ, "RENUM_URL": url, "RENUM_CONFIG_DIR": config}
        environment.pop("RENUM_TOKEN", None)
        renum(environment, "login", "--email", EMAIL, "--password-stdin", given=PASSWORD)
        if TEAM not in team_names(environment):
            renum(environment, "teams", "create", "-f", str(TEAM_FILE))
        say(f'"{TEAM}" works on: {prompt}\n')
        # The task through stdin, so that no text can be taken for an option.
        done = subprocess.run(
            [BIN / "renum", "run", TEAM, "-"], env=environment, input=prompt.encode(), check=False
        )
        say("\nStopping ...")
    say(
        "What next:\n"
        "  make run                                       keep the stack running on port 8000\n"
        f"  .venv/bin/renum login --email {EMAIL}   the password is {PASSWORD}\n"
        "  .venv/bin/renum agents                         who can be on a team\n"
        '  make demo PROMPT="..."                         another task\n'
        "  http://127.0.0.1:8000/docs                     the API, once `make run` runs"
    )
    return done.returncode


@contextmanager
def server() -> Iterator[str]:
    """The URL of a stack on free ports; its log is shown when it does not start."""
    DATA.mkdir(parents=True, exist_ok=True)
    log_file = DATA / "server.log"
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [BIN / "renum-api", "dev", "--port", "0", "--data-dir", DATA],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C is for the run's view; the server is stopped by us, afterwards.
            start_new_session=True,
        )
        # A server that never says anything is ended, which ends the wait for its line.
        watchdog = threading.Timer(START_LIMIT_S, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None  # noqa: S101  made with a pipe
            line = process.stdout.readline()
            watchdog.cancel()
            if not line.startswith(READY):
                sys.exit(f"The server did not start. Its log:\n{log_file.read_text()}")
            yield line.removeprefix(READY).strip()
        finally:
            watchdog.cancel()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def renum(environment: dict[str, str], *arguments: str, given: str | None = None) -> str:
    """Run the command line; what it says is shown only when it fails."""
    done = subprocess.run(
        [BIN / "renum", *arguments],
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"renum {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def team_names(environment: dict[str, str]) -> list[str]:
    """A second demonstration uses the first one's team."""
    answer = json.loads(renum(environment, "teams", "list", "--json"))
    teams = answer["teams"] if isinstance(answer, dict) else answer
    return [team["name"] for team in teams]


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
