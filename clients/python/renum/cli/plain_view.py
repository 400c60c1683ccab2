"""A run as one line per change: for logs and pipes."""

from typing import Self

from renum.cli.exits import print_error
from renum.cli.text import duration, one_line
from renum.events import ConnectionState
from renum.models import FINAL, Event, Execution
from renum.progress import AgentProgress, RunProgress


class PlainView:
    """Writes to stderr, so that stdout has the result alone."""

    def __init__(self, progress: RunProgress) -> None:
        self._progress = progress
        self._told_agents: dict[str, tuple[str, int]] = {}
        self._told_run: tuple[str, int | None] = ("running", None)
        self._is_lost = False

    def snapshot(self, execution: Execution) -> None:
        self._progress.take_snapshot(execution)
        self._tell_changes()

    def event(self, event: Event) -> None:
        self._progress.take_event(event)
        self._tell_changes()

    def state(self, state: ConnectionState) -> None:
        if state.phase == "reconnecting" and not self._is_lost:
            self._tell(f"no live connection, trying again; the run goes on ({state.reason})")
            self._is_lost = True
        elif state.phase == "connected" and self._is_lost:
            self._tell("connected again")
            self._is_lost = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def _tell_changes(self) -> None:
        run = self._progress
        now = (run.status, run.queue_position)
        if now != self._told_run and run.status not in FINAL:  # the summary tells the end
            self._told_run = now
            self._tell(run.status_text)
        for agent in run.agents.values():
            state = (agent.status, agent.attempt)
            if self._told_agents.get(agent.key, ("pending", 1)) != state:
                self._told_agents[agent.key] = state
                self._tell(f"{agent.name}: {_change(agent)}")

    def _tell(self, line: str) -> None:
        print_error(f"[{duration(self._progress.elapsed_s())}] {one_line(line)}")


def _change(agent: AgentProgress) -> str:
    if agent.status == "running":
        return "started" if agent.attempt == 1 else f"started, attempt {agent.attempt}"
    after = "" if agent.duration_s is None else f" after {duration(agent.duration_s)}"
    why = f": {agent.error}" if agent.error else ""
    return agent.status + after + why
