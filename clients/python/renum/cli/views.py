"""The ways in which a run is shown while it goes on."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from renum.cli.output import console, print_json_line
from renum.cli.plain_view import PlainView
from renum.cli.screen import screen
from renum.events import ConnectionState
from renum.models import Event, Execution
from renum.progress import RunProgress


class View(Protocol):
    """Shows while it is entered; the three methods tell it what happened."""

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


def view_for(progress: RunProgress, *, as_json: bool, events: bool) -> View:
    """The view that suits where stdout goes."""
    if events:
        return JsonLinesView()
    if as_json:
        return SilentView()
    out = console()
    moves = out.is_terminal and not out.is_dumb_terminal
    return LiveView(progress, out) if moves else PlainView(progress)


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
        print_json_line(event)


class LiveView:
    """Lines that move, on a terminal."""

    def __init__(self, progress: RunProgress, console: Console) -> None:
        self._progress = progress
        self._connection: ConnectionState | None = None
        self._live = Live(
            get_renderable=lambda: screen(progress, console, self._connection),
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
