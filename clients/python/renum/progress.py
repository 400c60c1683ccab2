"""A run as someone who watches sees it: snapshots and events folded into one picture."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from renum.models import FINAL, AgentResult, Event, Execution, Team

_ENDED = FINAL | {"skipped"}
# Of a running agent only the end of its text is shown.
_KEPT_TEXT = 4096


@dataclass(slots=True)
class AgentProgress:
    """One agent. `began` is in the seconds of time.monotonic()."""

    key: str
    name: str
    status: str = "pending"
    attempt: int = 1
    text: str = ""
    text_end: int = 0  # characters that the agent has written, shown or not
    began: float | None = None
    duration_s: float | None = None
    error: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in _ENDED

    def elapsed_s(self) -> float | None:
        if self.duration_s is not None or self.began is None:
            return self.duration_s
        return time.monotonic() - self.began

    def write(self, text: str, offset: int) -> None:
        """Add a chunk that begins at `offset`; chunks may overlap, or be missing."""
        new = text[max(0, self.text_end - offset) :]
        if offset > self.text_end:
            self.text = "…"
        self.text = (self.text + new)[-_KEPT_TEXT:]
        self.text_end = max(self.text_end, offset + len(text))

    def restart(self, attempt: int) -> None:
        self.status, self.attempt = "running", attempt
        self.text, self.text_end = "", 0
        self.began = time.monotonic()


@dataclass(slots=True)
class RunProgress:
    """
    The run, and its agents in plan order.

    Give it every snapshot and event as they come: what a snapshot already told changes nothing.
    """

    execution_id: str
    status: str = "pending"
    queue_position: int | None = None
    error: str | None = None
    agents: dict[str, AgentProgress] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    duration_s: float | None = None
    _seq: int = 0

    @property
    def ended(self) -> int:
        return sum(agent.has_ended for agent in self.agents.values())

    @property
    def status_text(self) -> str:
        """The status for people, with what they want to know next."""
        match self.status:
            case "pending" if self.queue_position is not None:
                return f"queued, number {self.queue_position} in line"
            case "pending":
                return "queued"
            case "failed" if self.error:
                return f"failed: {self.error}"
            case _:
                return self.status

    def elapsed_s(self) -> float:
        return time.monotonic() - self.began if self.duration_s is None else self.duration_s

    def take_snapshot(self, run: Execution) -> None:
        self.status, self.queue_position = run.status, run.queue_position
        self.error = run.error_message
        self._seq = run.seq or 0
        if run.started_at is not None:
            self.began = _monotonic(run.started_at)
            if run.completed_at is not None:
                self.duration_s = (run.completed_at - run.started_at).total_seconds()
        for place, result in enumerate(run.results):
            self._take_result(result.key or result.agent_id or str(place), result)

    def _take_result(self, key: str, result: AgentResult) -> None:
        agent = self._agent(key, result.agent_name)
        agent.status, agent.error = result.status, result.error_message
        if result.started_at is not None and agent.began is None:
            agent.began = _monotonic(result.started_at)
        if agent.has_ended:
            self._end(agent, result.execution_time_ms, result.output)

    def take_event(self, event: Event) -> None:
        data = event.data
        if (seq := data.get("seq")) is not None:
            if seq <= self._seq:
                return
            self._seq = seq
        match event.type:
            case "execution_status_update" if self.status not in FINAL:
                self.status = data["status"]
                self.error = data.get("error_message")
            case "agent_started" | "agent_output" | "agent_completed":
                self._take_agent_event(event)

    def _take_agent_event(self, event: Event) -> None:
        data = event.data
        agent = self._agent(str(data.get("key")), data.get("agent_name"))
        attempt = data.get("attempt") or agent.attempt
        if agent.has_ended or attempt < agent.attempt:
            return
        if event.type == "agent_completed":
            agent.status, agent.error = data["status"], data.get("error_message")
            self._end(agent, data.get("execution_time_ms"), data.get("output"))
            return
        if event.type == "agent_started" or attempt > agent.attempt or agent.status == "pending":
            agent.restart(attempt)
        if event.type == "agent_output":
            agent.write(str(data.get("text", "")), int(data.get("offset", 0)))

    def _end(self, agent: AgentProgress, time_ms: int | None, output: str | None) -> None:
        if agent.status in {"completed", "failed"} and time_ms is not None:
            agent.duration_s = time_ms / 1000
        agent.text = (output or "")[:_KEPT_TEXT]

    def _agent(self, key: str, name: str | None) -> AgentProgress:
        agent = self.agents.setdefault(key, AgentProgress(key, name or key))
        agent.name = name or agent.name
        return agent

    def take_team(self, team: Team) -> None:
        """Show the agents, by name, before the first snapshot comes."""
        for place in team.agents:
            if place.key is not None and place.agent_details is not None:
                self._agent(place.key, place.agent_details.name)


def _monotonic(moment: datetime) -> float:
    """A server's time on our own clock; never in the future, whatever its clock says."""
    return time.monotonic() - max(0.0, (datetime.now(UTC) - moment).total_seconds())
