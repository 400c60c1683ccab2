"""The ways in which a run is shown while it goes on."""

import json
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from renum.cli.output import as_json, console, echo
from renum.cli.screen import screen
from renum.cli.text import clean, duration
from renum.events import ConnectionState
from renum.models import Event, Execution
from renum.progress import RunProgress


class View(Protocol):
    """Shows between `__enter__` and `__exit__`; the three methods say what happened."""

    def snapshot(self, execution: Execution) -> None: ...
    def event(self, event: Event) -> None: ...
    def state(self, state: ConnectionState) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class SilentView:
    """Shows nothing: for scripts."""

    def snapshot(self, execution: Execution) -> None: ...
    def event(self, event: Event) -> None: ...
    def state(self, state: ConnectionState) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class JsonLinesView(SilentView):
    """Each event as one line of JSON on stdout."""

    def event(self, event: Event) -> None:
        echo(json.dumps(as_json(event), ensure_ascii=False))


class LiveView:
    """Lines that move, on a terminal."""

    def __init__(self, progress: RunProgress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._connection: ConnectionState | None = None
        self._live = Live(
            get_renderable=lambda: screen(self._progress, console, self._connection),
            console=console,
            refresh_per_second=10,
        )

    def snapshot(self, execution: Execution) -> None:
        self._progress.take_snapshot(execution)

    def event(self, event: Event) -> None:
        self._progress.take_event(event)

    def state(self, state: ConnectionState) -> None:
        self._connection = state

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


class PlainView:
    """One line per change, on stderr: for logs and pipes."""

    def __init__(self, progress: RunProgress) -> None:
        self._progress = progress
        self._console = console(stderr=True)
        self._told: dict[str, tuple[str, int]] = {}
        self._told_run = ("", None)
        self._was_lost = False

    def snapshot(self, execution: Execution) -> None:
        self._progress.take_snapshot(execution)
        self._tell_changes()

    def event(self, event: Event) -> None:
        self._progress.take_event(event)
        self._tell_changes()

    def state(self, state: ConnectionState) -> None:
        if state.phase == "reconnecting" and not self._was_lost:
            self._tell(f"no live connection, trying again; the run goes on ({state.reason})")
        elif state.phase == "connected" and self._was_lost:
            self._tell("connected again")
        self._was_lost = state.phase == "reconnecting" or (
            self._was_lost and state.phase != "connected"
        )

    def _tell_changes(self) -> None:
        run = self._progress
        if (run.status, run.queue_position) != self._told_run and run.status == "pending":
            place = f", number {run.queue_position} in line" if run.queue_position else ""
            self._tell(f"queued{place}")
        self._told_run = (run.status, run.queue_position)
        for agent in run.agents.values():
            now = (agent.status, agent.attempt)
            if self._told.get(agent.key, ("pending", 1)) == now:
                continue
            self._told[agent.key] = now
            self._tell(f"{agent.name}: {self._change(agent)}")
