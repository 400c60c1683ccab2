"""The live view: what fits in 80 columns, with and without colour."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from renum import ConnectionState
from renum.cli.screen import screen
from renum.cli.text import clean, duration, head, one_line, pad, tail
from renum.models import Event, Execution
from renum.progress import RunProgress

RESULTS = [
    {"key": "a", "agent_name": "Content Strategist", "status": "completed",
     "output": "# Goal\n\n" + "A launch in June. " * 20, "execution_time_ms": 2100},
    {"key": "b", "agent_name": "Copywriter", "status": "running"},
    {"key": "c", "agent_name": "Übersetzer 翻訳者翻訳者翻訳者翻訳者翻訳者", "status": "pending"},
    {"key": "d", "agent_name": "Editor", "status": "failed", "error_message": "out of credits",
     "execution_time_ms": 65000},
    {"key": "e", "agent_name": "Checker", "status": "skipped"},
    {"key": "f", "agent_name": "Stopper", "status": "cancelled"},
    {"key": "g", "agent_name": "Stranger", "status": "unheard-of"},
]  # fmt: skip


def a_run(results: list[dict] = RESULTS, **fields) -> RunProgress:
    run = RunProgress("x")
    run.take_snapshot(
        Execution.model_validate(
            {"execution_id": "x", "status": "running", "results": results, **fields}
        )
    )
    return run


def drawn(
    run: RunProgress,
    connection: ConnectionState | None = None,
    *,
    width: int = 80,
    height: int = 25,
    encoding: str = "utf-8",
    no_color: bool = True,
) -> list[str]:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(
        file=file, width=width, height=height, force_terminal=True, no_color=no_color,
        markup=False, emoji=False, highlight=False, legacy_windows=False,
    )  # fmt: skip
    console.print(screen(run, console, connection))
    file.flush()
    return raw.getvalue().decode(encoding).splitlines()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_line_fits_the_width(width: int) -> None:
    run = a_run()
    text = "Write about 製品 and more. " * 50
    run.take_event(Event(type="agent_output", data={"key": "b", "offset": 0, "text": text}))
    lost = ConnectionState("reconnecting", "the server closed the connection " * 9, 3, 4.2)
    lines = [strip(line) for line in drawn(run, lost, width=width)]
    assert len(lines) == len(RESULTS) + 2
    assert all(cell_len(line) <= width for line in lines)


def strip(line: str) -> str:
    """Without colour, but also without the styles that NO_COLOR leaves."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def test_states_can_be_told_apart_without_colour() -> None:
    lines = [strip(line) for line in drawn(a_run())]
    marks = [line[0] for line in lines[:7]]
    assert marks[0] == "✓"
    assert marks[1] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
    assert marks[2:] == ["·", "✗", "»", "■", "?"]
    assert lines[0].startswith("✓ Content Strategist")
    assert "2.1s  # Goal A launch in June." in lines[0]
    assert lines[0].rstrip().endswith("…")
    assert "working" in lines[1]
    assert "1:05  out of credits" in lines[3]
    assert lines[7].startswith("━" * 14 + "─" * 10 + "  4/7 agents")
    assert lines[7].rstrip().endswith("running")
    assert not any("\x1b[3" in line for line in drawn(a_run()))


def test_a_terminal_without_unicode_gets_ascii() -> None:
    run = a_run([{"key": "a", "agent_name": "Editor", "status": "completed", "output": "x"}])
    lines = [strip(line) for line in drawn(run, encoding="ascii")]
    assert lines[0].startswith("+ Editor")
    assert lines[1].startswith("=" * 24)


def test_streamed_text_shows_its_end() -> None:
    run = a_run()
    for text, offset in [("The first words. " * 20, 0), ("THE END", 340)]:
        data = {"key": "b", "offset": offset, "text": text}
        run.take_event(Event(type="agent_output", data=data))
    line = strip(drawn(run)[1]).rstrip()
    assert line.endswith("THE END")
    assert "…" in line


def test_a_second_attempt_and_a_lost_connection_are_shown() -> None:
    run = a_run()
    run.take_event(Event(type="agent_started", data={"key": "b", "attempt": 2}))
    lines = drawn(run, ConnectionState("reconnecting", "nothing heard for 50 s", 3, 4.2))
    assert "attempt 2" in lines[1]
    expected = "! no live connection, try 3 in 4.2s; the run goes on (nothing heard for 50 s)"
    assert strip(lines[-1]).rstrip() == expected
    assert len(drawn(run, ConnectionState("connected"))) == len(lines) - 1


def test_a_queued_run_says_its_place() -> None:
    lines = drawn(a_run([], status="pending", queue_position=3))
    assert "0/0 agents" in lines[-1]
    assert "queued, number 3 in line" in lines[-1]


def test_a_failed_run_says_why() -> None:
    assert "failed: Agent 1: no" in drawn(a_run(status="failed", error_message="Agent 1: no"))[-1]


def test_a_low_terminal_shows_who_is_at_work() -> None:
    results = [
        {"key": str(n), "agent_name": f"Agent {n}", "status": "pending" if n > 30 else "completed"}
        for n in range(50)
    ]
    results[30]["status"] = "running"
    lines = [strip(line) for line in drawn(a_run(results), height=10)]
    assert len(lines) == 8
    assert "Agent 30" in lines[0]
    assert "and 44 more" in lines[6]


def test_colour_is_used_when_there_is_colour() -> None:
    assert "\x1b[32m" in drawn(a_run(), no_color=False)[0]


def test_text_from_elsewhere_cannot_command_the_terminal() -> None:
    assert clean("a\x1b[2J\x07b\x9bc\u202ed\r\ne\tf") == "a[2Jbcd\ne\tf"
    results = [{"key": "a", "agent_name": "\x1b[2JBad", "status": "failed",
                "error_message": "\x1b]0;x\x07"}]  # fmt: skip
    assert "\x1b[2J" not in "".join(drawn(a_run(results)))


@pytest.mark.parametrize(
    ("text", "width", "start", "end"),
    [
        ("short", 10, "short", "short"),
        ("one two three", 8, "one two…", "…o three"),
        ("製品製品", 5, "製品…", "…製品"),
        ("abc", 0, "", ""),
        ("a\n b", 5, "a b", "a b"),
    ],
)
def test_text_is_cut_to_cells(text: str, width: int, start: str, end: str) -> None:
    assert (head(text, width), tail(text, width)) == (start, end)
    assert cell_len(pad(text, width)) == width


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.94, "59.9s"), (65, "1:05"), (7200, "2:00:00")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_one_line_is_one_line() -> None:
    assert one_line(" a\n\tb\x00 ") == "a b"
