"""What a watcher knows who has only the events: the reference for `fold(events) == snapshot`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.domain.reports import ExecutionReport
from app.domain.watching import StoredEvent


@dataclass
class Folded:
    """One execution, put together from its events alone."""

    status: str = ""
    progress: dict[str, Any] = field(default_factory=dict)
    error_code: str | None = None
    seqs: list[int] = field(default_factory=list)
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    started: list[tuple[str, int]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    notified: list[str] = field(default_factory=list)


def fold(events: Iterable[StoredEvent]) -> Folded:
    folded = Folded()
    for event in events:
        message = json.loads(event.text)
        kind, data = message["type"], message["data"]
        if "seq" in data:
            folded.seqs.append(data["seq"])
        match kind:
            case "execution_status_update":
                folded.status, folded.progress = data["status"], data["progress"]
                folded.error_code = data["error_code"]
            case "agent_started":
                folded.started.append((data["key"], data["attempt"]))
                folded.agents[data["key"]] = {"status": "running"}
            case "agent_completed":
                folded.ended.append(data["key"])
                folded.agents[data["key"]] = data
            case "execution_log":
                folded.logs.append(data["message"])
            case "new_notification":
                folded.notified.append(data["type"])
    return folded


def assert_tells(events: Iterable[StoredEvent], report: ExecutionReport) -> None:
    """The events of an ended execution tell what its report shows, each thing once."""
    told = fold(events)
    assert told.status == report.status
    assert told.error_code == report.error_code
    assert told.progress["percentage"] == report.progress.percentage == 100
    assert told.progress["completed_agents"] == report.progress.completed_agents
    assert told.seqs == list(range(1, report.seq + 1)), told.seqs
    assert sorted(told.ended) == sorted(r.key for r in report.results)
    assert len(set(told.started)) == len(told.started)
    for result in report.results:
        agent = told.agents[result.key]
        assert agent["status"] == result.status
        assert agent["attempts"] == result.attempts
        assert agent["error_code"] == result.error_code
        if not agent["output_truncated"]:
            assert agent["output"] == result.output
    assert told.logs == [line.message for line in report.logs]
    assert told.notified == [f"execution_{report.status}"]
