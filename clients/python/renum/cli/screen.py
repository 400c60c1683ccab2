"""A run drawn as lines: one per agent, then the whole. Good in 80 columns and without colour."""

import time
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.text import Text

from renum.cli.text import duration, head, pad, tail
from renum.events import ConnectionState
from renum.progress import AgentProgress, RunProgress

_TIME_WIDTH = 7
_BAR_WIDTH = 24
_LARGEST_NAME = 24
# Lines besides those of agents: the bar, the connection, "more", and the cursor's own.
_OTHER_LINES = 4
_STYLES = {
    "pending": "dim",
    "running": "cyan",
    "completed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "cancelled": "yellow",
}


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters to draw with; states must be told apart without colour."""

    states: dict[str, str]
    spinner: str
    bar: str


_UNICODE = Marks(
    {"pending": "·", "completed": "✓", "failed": "✗", "skipped": "»", "cancelled": "■"},
    "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    "━─",
)
_ASCII = Marks(
    {"pending": ".", "completed": "+", "failed": "x", "skipped": ">", "cancelled": "#"},
    "|/-\\",
    "=-",
)


def screen(
    run: RunProgress, console: Console, connection: ConnectionState | None
) -> RenderableType:
    """Everything about the run that fits into the console."""
    marks = _ASCII if console.options.ascii_only else _UNICODE
    width = console.width
    agents = list(run.agents.values())
    shown = _fitting(agents, console.height - _OTHER_LINES if console.is_terminal else len(agents))
    name_width = max((cell_len(agent.name) for agent in shown), default=0)
    name_width = min(name_width, _LARGEST_NAME, width // 3)
    lines = [_agent_line(agent, marks, name_width, width) for agent in shown]
    if hidden := len(agents) - len(shown):
        lines.append(Text(f"  and {hidden} more", "dim"))
    lines.append(_total_line(run, marks, width))
    if connection is not None and connection.phase == "reconnecting":
        lines.append(_connection_line(connection, width))
    return Group(*lines)


def _fitting(agents: list[AgentProgress], room: int) -> list[AgentProgress]:
    """All, or as many as there is room for: those at work first, in plan order."""
    if len(agents) <= max(room, 1):
        return agents
    interest = {"running": 0, "failed": 1, "pending": 2}
    by_interest = sorted(agents, key=lambda agent: interest.get(agent.status, 3))
    chosen = {agent.key for agent in by_interest[: max(room, 1)]}
    return [agent for agent in agents if agent.key in chosen]


def _agent_line(agent: AgentProgress, marks: Marks, name_width: int, width: int) -> Text:
    style = _STYLES.get(agent.status, "")
    elapsed = agent.elapsed_s()
    time_text = "" if elapsed is None else duration(elapsed)
    line = Text(no_wrap=True, overflow="crop")
    line.append(_mark(agent.status, marks) + " ", style)
    line.append(pad(agent.name, name_width), "" if agent.status != "pending" else "dim")
    line.append(time_text.rjust(_TIME_WIDTH) + "  ", "dim")
    room = width - cell_len(line.plain)
    if agent.status == "running":
        working = f"attempt {agent.attempt}" if agent.attempt > 1 else "working"
        line.append(tail(agent.text, room) or head(working, room))
    elif agent.status == "completed":
        line.append(head(agent.text, room), "dim")
    else:
        line.append(head(agent.error or agent.status, room), style)
    return line


def _mark(status: str, marks: Marks) -> str:
    if status == "running":
        return marks.spinner[int(time.monotonic() * 10) % len(marks.spinner)]
    return marks.states.get(status, "?")


def _total_line(run: RunProgress, marks: Marks, width: int) -> Text:
    total = len(run.agents)
    done = round(_BAR_WIDTH * run.ended / total) if total else 0
    line = Text(no_wrap=True, overflow="crop")
    line.append(marks.bar[0] * done, "green" if run.status != "failed" else "red")
    line.append(marks.bar[1] * (_BAR_WIDTH - done), "dim")
    line.append(f"  {run.ended}/{total} agents  {duration(run.elapsed_s())}  ")
    line.append(head(run.status_text, width - cell_len(line.plain)), _STYLES.get(run.status, ""))
    return line


def _connection_line(connection: ConnectionState, width: int) -> Text:
    again = f"! no live connection, try {connection.attempt} in {duration(connection.delay_s)}"
    return Text(
        head(f"{again}; the run goes on ({connection.reason})", width),
        "yellow",
        no_wrap=True,
        overflow="crop",
    )
