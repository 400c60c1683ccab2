"""`renum conformance` against the real server: it passes, and notices when something is wrong."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typer.testing import CliRunner, Result

from app.common.asgi import TEXTS
from renum.cli import app as renum
from renum.conformance import probes, suite
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.live.client import sign_in
from tests.serving import serving, settings_for

RENUM = Path(sys.executable).with_name("renum")

#: Three probes, a look at the head and three watchers connect first; all others have come back.
_RETURNED = 7

#: Given the number of the socket, of the event on it, and the message: what is sent in its place.
Fault = Callable[[int, int, dict[str, Any]], list[dict[str, Any]]]


class Saboteur:
    """Around the real application: its WebSockets tell something else."""

    def __init__(self, app: ASGIApp, fault: Fault | None, *, forgets: bool) -> None:
        self._app = app
        self._fault = fault
        self._forgets = forgets
        self._sockets = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        number, events = next(self._sockets), itertools.count()
        scope["extensions"].pop(TEXTS)  # one message at a time
        if self._forgets and number >= _RETURNED:
            scope["query_string"] = b""

        async def faulty_send(message: Message) -> None:
            told = [message]
            if message["type"] == "websocket.send" and self._fault is not None:
                said = json.loads(message["text"])
                place = next(events) if "id" in said else -1
                told = [
                    {"type": "websocket.send", "text": json.dumps(other)}
                    for other in self._fault(number, place, said)
                ]
            for one in told:
                await send(one)

        await self._app(scope, receive, faulty_send)


def drop(_: int, place: int, said: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if place == 4 else [said]


def repeat(_: int, place: int, said: dict[str, Any]) -> list[dict[str, Any]]:
    return [said, said] if place == 4 else [said]


def alter(number: int, place: int, said: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**said, "timestamp": f"{number}"}] if place == 4 else [said]


def rename(_: int, __: int, said: dict[str, Any]) -> list[dict[str, Any]]:
    if said["type"] == "team_updated":
        said["data"]["version"] = 7
    return [said]


def greet_not(number: int, place: int, said: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if number >= _RETURNED and said["type"] == "connected" else [said]


def answer_not(_: int, __: int, said: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if said["type"] == "error" and "JSON" in said["data"]["message"] else [said]


def swapping() -> Fault:
    held: dict[int, dict[str, Any]] = {}

    def swap(number: int, place: int, said: dict[str, Any]) -> list[dict[str, Any]]:
        if place == 4:
            held[number] = said
            return []
        return [said, held.pop(number)] if place == 5 else [said]

    return swap


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


def examine(
    sandbox: RunningSandbox,
    database_url: str,
    *,
    fault: Fault | None = None,
    forgets: bool = False,
) -> Result:
    def around(app: ASGIApp) -> ASGIApp:
        return Saboteur(app, fault, forgets=forgets) if fault or forgets else app

    with serving(settings_for(sandbox, database_url), around=around) as url:
        environment = {"RENUM_TOKEN": sign_in(url, "ana"), "NO_COLOR": "1"}
        command = ["conformance", url, "--seconds", "2", "--cuts", "5"]
        return CliRunner().invoke(renum, command, env=environment)


def test_the_server_conforms_also_while_an_execution_runs(
    sandbox: RunningSandbox, new_database: Callable[[], str]
) -> None:
    with serving(settings_for(sandbox, new_database())) as url:
        command = [RENUM, "conformance", url, "--seconds", "2", "--cuts", "10", "--run", "--json"]
        done = subprocess.run(
            command,
            env={**os.environ, "RENUM_TOKEN": sign_in(url, "ana")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["conforms"]
    assert len(report["checks"]) == 12
    assert all(c["kept"] and not c["skipped"] for c in report["checks"])
    assert report["connections"] >= 5  # fewer on a busy machine


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        (drop, "no event is missing"),
        (repeat, "no event comes twice or out of order"),
        (swapping(), "no event comes twice or out of order"),
        (alter, "all watchers are told the same"),
        (rename, "every change is told, in order"),
        (greet_not, "every connection is greeted first"),
        (answer_not, "nonsense is answered with an error, and the connection lives"),
    ],
    ids=["drop", "repeat", "swap", "alter", "rename", "greet_not", "answer_not"],
)
def test_what_is_wrong_is_noticed(
    sandbox: RunningSandbox,
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    broken: str,
) -> None:
    monkeypatch.setattr(probes, "_ANSWER_S", 1)
    result = examine(sandbox, new_database(), fault=fault)
    assert result.exit_code == 1, result.output
    assert f"BROKEN   {broken}\n" in result.stdout
    assert "The stream does NOT conform." in result.stdout


def test_a_server_that_forgets_where_a_client_was_is_noticed(
    sandbox: RunningSandbox,
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suite, "_CATCH_UP_S", 1)
    result = examine(sandbox, new_database(), forgets=True)
    assert result.exit_code == 1
    assert "BROKEN   a connection goes on where the last one ended\n" in result.stdout
