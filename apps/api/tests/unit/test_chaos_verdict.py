"""The chaos bench sees what it is there to see."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bench.chaos.verify import Verdict, check_starts


def at(minute: int) -> datetime:
    return datetime(2026, 11, 24, 12, minute, tzinfo=UTC)


def start(minute: int, status: str) -> dict[str, Any]:
    return {"started_at": at(minute).isoformat(), "status": status}


def said_against(attempts: int, *starts: dict[str, Any], **changes: str) -> list[str]:
    verdict = Verdict()
    step = {
        "status": "completed",
        "attempts": attempts,
        "completed_at": at(30),
        "remote_stop": "not_needed",
        **changes,
    }
    check_starts("step", step, list(starts), verdict)
    return [kind for kind, found in verdict.violations.items() if found]


@pytest.mark.parametrize(
    ("attempts", "starts"),
    [
        (1, [start(1, "completed")]),
        (2, [start(1, "failed"), start(2, "completed")]),
        (2, [start(1, "completed")]),
    ],
)
def test_honest_runs_are_no_violation(attempts: int, starts: list[dict[str, Any]]) -> None:
    assert said_against(attempts, *starts) == []


@pytest.mark.parametrize(
    ("attempts", "starts", "kind"),
    [
        (1, [start(1, "failed"), start(2, "completed")], "double starts"),
        (2, [start(1, "completed"), start(2, "completed")], "double starts"),
        (2, [start(1, "failed"), start(31, "completed")], "finished agents re-run"),
        (1, [start(1, "running")], "cancelled, still running at Suna"),
    ],
)
def test_every_violation_is_seen(attempts: int, starts: list[dict[str, Any]], kind: str) -> None:
    assert said_against(attempts, *starts) == [kind]


def test_a_start_that_was_under_way_at_the_cancel_is_no_second_run() -> None:
    cancelled = {"status": "cancelled", "remote_stop": "confirmed"}
    assert said_against(1, start(31, "stopped"), **cancelled) == []
    assert said_against(1, start(31, "running"), **cancelled) == [
        "cancelled, still running at Suna"
    ]
    assert said_against(1, start(29, "stopped"), start(31, "stopped"), **cancelled) == [
        "double starts"
    ]
    # Where nothing was to be stopped, nothing may start.
    unstopped = cancelled | {"remote_stop": "not_needed"}
    assert said_against(1, start(31, "completed"), **unstopped) == ["finished agents re-run"]
