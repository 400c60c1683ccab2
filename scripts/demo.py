"""
`make demo`: a team of three agents works on a task before your eyes.

Starts the whole stack on a free port, with its data under `.renum/demo`, and does what a person
would do on the command line. The task may be given in the environment variable PROMPT.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
DATA = ROOT / ".renum" / "demo"
LOG = ROOT / ".renum" / "demo.log"
TEAM_FILE = ROOT / "docs" / "examples" / "marketing-team.yaml"

TEAM = "Marketing Team"
EMAIL, PASSWORD = "ana@renum.example", "renum-demo"
PROMPT = (
    "Create a launch campaign for Lumen, a solar desk lamp with warm light, a repairable "
    "battery and a two-year guarantee. Audience: young professionals who work from home."
)

READY = "renum-api ready "
WIDTH = 79
START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0
# The sandbox's agents write this much faster than they do in `make run`.
SPEED = "0.6"


class DemoFailed(Exception):
    """The demonstration cannot go on; the message says why."""


@contextmanager
def running_server() -> Iterator[str]:
    """The stack, at the URL that is given; it is stopped in any case."""
    LOG.parent.mkdir(exist_ok=True)
    command = [str(BIN / "renum-api"), "dev", "--port", "0"]
    command += ["--data-dir", str(DATA), "--speed", SPEED]
    with LOG.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Out of reach of Ctrl-C, which is for the run on the screen.
            start_new_session=True,
        )
    try:
        yield ready_url(process)
    finally:
        stop(process)


def ready_url(process: "subprocess.Popen[str]") -> str:
    """Wait for the line that says where the server is."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=read_lines, args=(process, lines), daemon=True).start()
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise DemoFailed(f"Renum did not start in {START_LIMIT_S:.0f} s") from None
        if line is None:
            raise DemoFailed("Renum stopped while it was starting")
        if line.startswith(READY):
            return line.removeprefix(READY).strip()


def read_lines(process: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
    """To the end, so that the server never waits for a reader."""
    if process.stdout is not None:
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
    lines.put(None)


def stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class CommandLine:
    """`renum`, with a configuration of its own, so that yours stays as it is."""

    def __init__(self, url: str, config: str) -> None:
        ours = {"RENUM_URL": url, "RENUM_CONFIG_DIR": config, "RENUM_TOKEN": ""}
        self._environment = {**os.environ, **ours}

    def ask(self, *arguments: str, stdin: str = "") -> str:
        """What a command prints."""
        done = subprocess.run(
            [BIN / "renum", *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DemoFailed(f"`renum {arguments[0]}` failed: {done.stderr.strip()}")
        return done.stdout

    def show(self, *arguments: str) -> int:
        """Run a command on this terminal; its exit code."""
        process = subprocess.Popen([BIN / "renum", *arguments], env=self._environment)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the command got it as well, and ends by it


def find_or_create_team(renum: CommandLine) -> str:
    """The id of the demonstration's team, which a former one may have left."""
    for team in json.loads(renum.ask("teams", "list", "--search", TEAM, "--json"))["teams"]:
        if team["name"] == TEAM:
            return str(team["id"])
    made = json.loads(renum.ask("teams", "create", "-f", str(TEAM_FILE), "--json"))
    return str(made["id"])


def demonstrate() -> int:
    """The run's exit code."""
    prompt = os.environ.get("PROMPT", "").strip() or PROMPT
    begun = time.monotonic()
    say("Starting Renum: database, sandbox, API ... ", end="")
    with running_server() as url, tempfile.TemporaryDirectory() as config:
        say(f"ready in {time.monotonic() - begun:.1f} s")
        renum = CommandLine(url, config)
        renum.ask("login", "--email", EMAIL, "--password-stdin", stdin=f"{PASSWORD}\n")
        team = find_or_create_team(renum)
        say(f"\n{TEAM}: Content Strategist, Copywriter, Editor")
        say(textwrap.fill(f"Task: {prompt}", WIDTH) + "\n")
        code = renum.show("run", team, "--", prompt)
    say_what_next()
    return code


def say_what_next() -> None:
    renum = Path(os.path.relpath(BIN)) / "renum"
    say(f"""
Now keep it running, and in another terminal give it work of your own:
  make run
  {renum} login --email {EMAIL}     # the password: {PASSWORD}
  {renum} teams create -f {os.path.relpath(TEAM_FILE)}
  {renum} run "{TEAM}" "Your own task"
Its API, to try in a browser: http://127.0.0.1:8000/docs""")


def say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


def main() -> int:
    signal.signal(signal.SIGTERM, exit_cleanly)
    try:
        return demonstrate()
    except DemoFailed as error:
        say("")
        sys.stderr.write(f"{error}\n")
        if LOG.exists():
            sys.stderr.write(f"The end of {os.path.relpath(LOG)}:\n")
            sys.stderr.writelines(LOG.read_text(encoding="utf-8").splitlines(keepends=True)[-20:])
        return 1
    except KeyboardInterrupt:
        return 130


def exit_cleanly(*_: object) -> NoReturn:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main())
