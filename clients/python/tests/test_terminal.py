"""The command line in front of a real terminal, emulated by pyte."""

import asyncio
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pyte
import pytest

from .conftest import Renum
from .server import Server
from .world import EMAIL, PASSWORD, Run, World, complete

PATIENCE_S = 30.0


class Terminal:
    """A screen of 80 by 24 with the command line in it."""

    def __init__(
        self, environment: dict[str, str], *arguments: str, term: str = "xterm-256color"
    ) -> None:
        self.written = b""
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "renum", *arguments],
            env={**environment, "TERM": term},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def hides_cursor(self) -> bool:
        return self._screen.cursor.hidden

    def read_until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not any(text in line for line in self.lines):
            assert time.monotonic() < deadline, self.lines
            assert self.read(), self.lines

    def write(self, text: str) -> None:
        os.write(self.master, text.encode())

    def answer(self, prompt: str, text: str) -> None:
        """Once all of it is there: what is typed before that is shown, and thrown away."""
        cursor = self._screen.cursor
        while self._screen.display[cursor.y][: cursor.x] != prompt:
            assert self.read(), self.lines
        self.write(f"{text}\n")

    def end(self) -> int:
        while self.read():
            pass
        return self.process.wait(PATIENCE_S)

    def read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], PATIENCE_S)
        assert ready, self.lines
        try:
            data = os.read(self.master, 65536)
        except OSError:  # what Linux says when the other side has closed
            data = b""
        self.written += data
        self._stream.feed(data)
        return bool(data)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait()
        os.close(terminal.master)


def test_a_run_is_live_and_ends_with_drawn_markdown(
    signed_in: Renum, server: Server, world: World,
    environment: dict[str, str], terminals: list[Terminal],
) -> None:  # fmt: skip
    gate = asyncio.Event()

    async def play(run: Run) -> None:
        run.begin("agent_1")
        while not world.sockets:
            await asyncio.sleep(0.001)
        run.say("agent_1", "Thinking about the launch", 0)
        await gate.wait()
        await complete(run)

    world.play = play
    server.call(world.add_team)
    terminal = Terminal(environment, "run", "Marketing Team", "Go")
    terminals.append(terminal)
    terminal.read_until("Thinking about the launch")
    terminal.read_until("· Editor")
    assert terminal.lines[-1].endswith("  running")

    server.call(gate.set)
    assert terminal.end() == 0
    text = "\n".join(terminal.lines)
    assert "✓ Content Strategist   1.5s  # Content Strategist Text of" in text
    assert "━" * 24 + "  3/3 agents" in text
    assert "completed in" in text
    assert "Text of Editor." in text  # drawn: the stars of **Editor** are gone
    assert all(len(line) <= 80 for line in terminal.lines)


@pytest.mark.parametrize("colours", [True, False])
def test_colours_are_for_those_who_want_them(
    signed_in: Renum, server: Server, world: World, colours: bool,
    environment: dict[str, str], terminals: list[Terminal],
) -> None:  # fmt: skip
    server.call(world.add_team)
    if colours:
        del environment["NO_COLOR"]
    terminal = Terminal(environment, "run", "Marketing Team", "Go")
    terminals.append(terminal)
    assert terminal.end() == 0
    assert "✓ Editor" in "\n".join(terminal.lines)
    coloured = re.search(rb"\x1b\[(?:\d+;)*(?:3[1-7]|9[0-7]|38;5;\d+)m", terminal.written)
    assert (coloured is not None) is colours


def test_a_dumb_terminal_gets_lines_and_no_commands(
    signed_in: Renum, server: Server, world: World,
    environment: dict[str, str], terminals: list[Terminal],
) -> None:  # fmt: skip
    server.call(world.add_team)
    for command in (["run", "Marketing Team", "Go"], ["teams", "list"], ["executions", "list"]):
        terminal = Terminal(environment, *command, term="dumb")
        terminals.append(terminal)
        assert terminal.end() == 0
        assert b"\x1b" not in terminal.written
        assert b"Editor: completed after" in terminals[0].written


def test_ctrl_c_gives_the_terminal_back(
    signed_in: Renum, server: Server, world: World,
    environment: dict[str, str], terminals: list[Terminal],
) -> None:  # fmt: skip
    async def play(run: Run) -> None:
        run.begin("agent_1")

    world.play = play
    server.call(world.add_team)
    terminal = Terminal(environment, "run", "Marketing Team", "Go")
    terminals.append(terminal)
    terminal.read_until("working")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "The run goes on without you." in terminal.lines
    assert not terminal.hides_cursor


def test_login_asks_and_tables_are_drawn(
    environment: dict[str, str], world: World, terminals: list[Terminal]
) -> None:
    login = Terminal(environment, "login")
    terminals.append(login)
    login.answer("E-mail: ", EMAIL)
    login.answer("Password: ", PASSWORD)
    assert login.end() == 0
    assert "as Ana." in "".join(login.lines)
    assert PASSWORD not in "".join(login.lines)

    agents = Terminal(environment, "agents")
    terminals.append(agents)
    assert agents.end() == 0
    assert agents.lines[0].split() == ["NAME", "DESCRIPTION", "ID"]
    assert len(agents.lines) == 7
