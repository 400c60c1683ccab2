"""Executions of the team: one that completed, and one that was cancelled and tried again."""

from typing import Any

from app.api.examples.requests import RUN
from app.api.examples.teams import (
    BRIEF,
    COPYWRITER,
    DRAFT,
    HANDED,
    OUTLINE,
    STRATEGIST,
    TEAM,
    TEAM_ID,
)

Json = dict[str, Any]

EXECUTION_ID = "019ca945-0a00-732e-afd3-808c9e0b44c6"
CANCELLED_ID = "019ca949-9de0-72e9-a144-a4247cb57656"
STARTED = "2026-03-01T12:00:00Z"
ENDED = "2026-03-01T12:00:41.120000Z"
_RETRY_ID = "019ca94a-8840-7790-8c01-8fd717dc8cc5"
_BEGAN = "2026-03-01T12:00:00.020000Z"
_HANDED_ON = "2026-03-01T12:00:18.020000Z"


def _progress(completed: int, doing: str) -> Json:
    return {
        "completed_agents": completed,
        "total_agents": 2,
        "failed_agents": 0,
        "skipped_agents": 0,
        "percentage": completed * 50,
        "current_step": doing,
    }


_SUMMARY: Json = {
    "execution_id": EXECUTION_ID,
    "team_id": TEAM_ID,
    "team_name": TEAM["name"],
    "team_version": 1,
    "status": "running",
    "created_at": STARTED,
    "started_at": STARTED,
    "estimated_completion": "2026-03-01T12:30:00Z",
    "completed_at": None,
    "cancelled_at": None,
    "progress": _progress(0, "Initializing agents"),
    "error_code": None,
    "error_message": None,
    "queue_position": None,
    "retry_of": None,
}
_COMPLETED: Json = {
    "status": "completed",
    "completed_at": ENDED,
    "progress": _progress(2, "Completed"),
}


def _waiting(key: str, agent: Json) -> Json:
    return {
        "key": key,
        "agent_id": agent["id"],
        "agent_name": agent["name"],
        "status": "pending",
        "output": None,
        "output_bytes": None,
        "output_truncated": False,
        "needs_input": False,
        "error_code": None,
        "error_message": None,
        "execution_time_ms": 0,
        "attempts": 0,
        "input": None,
        "input_bytes": None,
        "input_truncated": False,
        "reused": False,
        "usage": None,
        "remote_stop": "not_needed",
        "started_at": None,
        "completed_at": None,
    }


def _answered(result: Json, given: str, output: str, ms: int, began: str, ended: str) -> Json:
    return {
        **result,
        "status": "completed",
        "output": output,
        "output_bytes": len(output.encode()),
        "execution_time_ms": ms,
        "attempts": 1,
        "input": given,
        "input_bytes": len(given.encode()),
        "started_at": began,
        "completed_at": ended,
    }


def _log(seq: int, at: str, message: str, agent: Json | None = None) -> Json:
    agent_id = agent and agent["id"]
    return {"seq": seq, "timestamp": at, "level": "info", "message": message, "agent_id": agent_id}


_RESULTS = [_waiting("outline", STRATEGIST), _waiting("draft", COPYWRITER)]
_HANDED_OUTLINE = HANDED.format(brief=BRIEF, outline=OUTLINE)
_ANSWERED = [
    _answered(_RESULTS[0], BRIEF, OUTLINE, 18_000, _BEGAN, _HANDED_ON),
    _answered(_RESULTS[1], _HANDED_OUTLINE, DRAFT, 23_100, _HANDED_ON, ENDED),
]
LOGS = [
    _log(1, STARTED, "Execution started"),
    _log(4, _BEGAN, "Content Strategist started", STRATEGIST),
    _log(7, _HANDED_ON, "Content Strategist completed in 18.0 s", STRATEGIST),
    _log(9, _HANDED_ON, "Copywriter started", COPYWRITER),
    _log(12, ENDED, "Copywriter completed in 23.1 s", COPYWRITER),
    _log(13, ENDED, "Execution completed"),
]
STARTED_EXECUTION: Json = {
    **_SUMMARY,
    "execution_config": RUN["execution_config"],
    "results": _RESULTS,
    "logs": LOGS[:1],
    "logs_truncated": False,
    "seq": 2,
    "input_data": RUN["input_data"],
}
EXECUTION: Json = {
    **STARTED_EXECUTION,
    **_COMPLETED,
    "results": _ANSWERED,
    "logs": LOGS,
    "seq": 14,
}
SUMMARY: Json = {**_SUMMARY, **_COMPLETED}
_RETRIED_AT = "2026-03-01T12:06:00Z"
RETRIED: Json = {
    **STARTED_EXECUTION,
    "execution_id": _RETRY_ID,
    "created_at": _RETRIED_AT,
    "started_at": _RETRIED_AT,
    "estimated_completion": "2026-03-01T12:06:41.120000Z",
    "progress": _progress(1, "Initializing agents"),
    "retry_of": CANCELLED_ID,
    "results": [
        {
            **_ANSWERED[0],
            "reused": True,
            "started_at": "2026-03-01T12:05:00.020000Z",
            "completed_at": "2026-03-01T12:05:18.020000Z",
        },
        _RESULTS[1],
    ],
    "logs": [_log(2, _RETRIED_AT, "Execution started with 1 finished result of an earlier one")],
    "seq": 3,
}
EXPLANATION: Json = {
    "status": "running",
    "summary": "It waits for the answer of Content Strategist (outline).",
    "waits": [
        {
            "waits_for": "agent_answer",
            "detail": "it is at work",
            "since": _BEGAN,
            "due_at": None,
            "key": "outline",
            "agent_name": STRATEGIST["name"],
            "attempt": 1,
        }
    ],
    "next": "The agents that follow start when their predecessors have ended.",
    "next_at": None,
    "queue_position": None,
    "deadline_at": "2026-03-01T12:30:00Z",
}


def _span(state: str, began: str, ended: str, ms: int) -> Json:
    times = {"started_at": began, "ended_at": ended, "duration_ms": ms}
    return {"state": state, "attempt": 1, **times, "code": None}


def _time_of(result: Json, needs: list[str], ready_at: str, queued: list[Json]) -> Json:
    began, ended, ms = result["started_at"], result["completed_at"], result["execution_time_ms"]
    return {
        "key": result["key"],
        "agent_id": result["agent_id"],
        "agent_name": result["agent_name"],
        "status": "completed",
        "attempts": 1,
        "reused": False,
        "recorded": True,
        "needs": needs,
        "waited_for": needs[0] if needs else None,
        "ready_at": ready_at,
        "started_at": began,
        "ended_at": ended,
        "spans": [*queued, _span("running", began, ended, ms)],
        "queued_ms": sum(span["duration_ms"] for span in queued),
        "waiting_ms": 0,
        "running_ms": ms,
        "backoff_ms": 0,
    }


TIMELINE: Json = {
    "execution_id": EXECUTION_ID,
    "status": "completed",
    "as_of": "2026-03-01T12:05:00Z",
    "created_at": STARTED,
    "started_at": STARTED,
    "ended_at": ENDED,
    "queued_ms": 0,
    "duration_ms": 41_120,
    "agents": [
        _time_of(_ANSWERED[0], [], STARTED, [_span("queued", STARTED, _BEGAN, 20)]),
        _time_of(_ANSWERED[1], ["outline"], _HANDED_ON, []),
    ],
    "critical_path": ["outline", "draft"],
}

# --- its events, as the log keeps them ---------------------------------------------------------


def _event(event_id: int, kind: str, at: str, seq: int, **data: object) -> Json:
    data = {"execution_id": EXECUTION_ID, "seq": seq, **data}
    return {"type": kind, "id": event_id, "timestamp": at, "data": data}


_TOLD = (
    "team_id",
    "status",
    "progress",
    "started_at",
    "completed_at",
    "error_code",
    "error_message",
)


def _status(event_id: int, at: str, seq: int, execution: Json) -> Json:
    data = {field: execution[field] for field in _TOLD}
    return _event(event_id, "execution_status_update", at, seq, **data)


#: Its first two, and its last one.
FIRST_EVENTS = [
    _event(2, "execution_log", STARTED, **LOGS[0]),
    _status(3, STARTED, 2, STARTED_EXECUTION),
]
LAST_EVENT = _status(16, ENDED, 14, EXECUTION)
