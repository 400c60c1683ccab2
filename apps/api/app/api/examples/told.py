"""What is told of the execution: a notification, streams of events, and webhooks."""

import json
from typing import Any

from fastapi.sse import format_sse_event

from app.api.examples.executions import ENDED, EXECUTION_ID, FIRST_EVENTS, LAST_EVENT
from app.api.examples.requests import WEBHOOK, WEBHOOK_CHANGE
from app.api.examples.teams import MADE, TEAM_ID

Json = dict[str, Any]

USER_ID = "0a4a0000-0000-4000-8000-000000000001"

NOTIFICATION: Json = {
    "id": "019ca945-aaa0-74a2-b123-64e43cfaf933",
    "type": "execution_completed",
    "title": "Team execution completed",
    "message": "Your Marketing Team execution has completed successfully",
    "read": False,
    "created_at": ENDED,
    "data": {"team_id": TEAM_ID, "execution_id": EXECUTION_ID},
}

# --- events: page by page, and as a stream -----------------------------------------------------

_NOTIFIED: Json = {
    "type": "new_notification",
    "id": 15,
    "timestamp": ENDED,
    "data": NOTIFICATION,
}
EVENTS: Json = {
    "events": [_NOTIFIED, LAST_EVENT],
    "next_after": 16,
    "has_more": False,
    "last_event_id": 16,
    "oldest_event_id": 1,
}
EXECUTION_EVENTS: Json = {
    "events": FIRST_EVENTS,
    "next_after": 3,
    "has_more": True,
    "last_event_id": 16,
    "oldest_event_id": 1,
}


def _stream(after: int, *messages: Json) -> str:
    """As it is sent to who resumes after an event."""
    told = {"user_id": USER_ID, "last_event_id": after, "heartbeat_s": 20}
    lines = [_line({"type": "connected", "data": told, "timestamp": ENDED}, after, retry=1_000)]
    return "".join([*lines, *(_line(message, message.get("id")) for message in messages)])


def _line(message: Json, event_id: int | None, retry: int | None = None) -> str:
    text = json.dumps(message, separators=(",", ":"))
    id_text = None if event_id is None else str(event_id)
    return format_sse_event(data_str=text, id=id_text, retry=retry).decode()


_END = {
    "type": "stream_end",
    "data": {"execution_id": EXECUTION_ID, "status": "completed", "last_event_id": 16},
    "timestamp": ENDED,
}
STREAM = _stream(14, _NOTIFIED, LAST_EVENT)
EXECUTION_STREAM = _stream(15, LAST_EVENT, _END)

# --- webhooks ----------------------------------------------------------------------------------

_CHANGED_AT = "2026-03-01T12:20:00Z"
WEBHOOK_MADE: Json = {
    "id": "019ca940-7620-7015-bbb2-d09834b867d3",
    "url": WEBHOOK["url"],
    "description": "",
    "events": WEBHOOK["events"],
    "enabled": True,
    "disabled_reason": None,
    "failing_since": None,
    "created_at": MADE,
    "updated_at": MADE,
}
WEBHOOK_CHANGED: Json = {**WEBHOOK_MADE, **WEBHOOK_CHANGE, "updated_at": _CHANGED_AT}

_TESTED_AT = "2026-03-01T12:25:00Z"
_BODY = {
    "type": "webhook.test",
    "timestamp": _TESTED_AT,
    "data": {"webhook_id": WEBHOOK_MADE["id"], "message": "Renum reaches this endpoint."},
}
_DELIVERY: Json = {
    "id": "019ca95b-ed60-75c2-9c99-d7703dbb9bcf",
    "webhook_id": WEBHOOK_MADE["id"],
    "type": "webhook.test",
    "status": "pending",
    "created_at": _TESTED_AT,
    "next_attempt_at": _TESTED_AT,
    "completed_at": None,
    "attempts": [],
}
_ATTEMPT: Json = {
    "at": "2026-03-01T12:25:00.010000Z",
    "duration_ms": 48,
    "status_code": 204,
    "error": None,
    "response": "",
}
DELIVERED: Json = {
    **_DELIVERY,
    "status": "delivered",
    "next_attempt_at": None,
    "completed_at": "2026-03-01T12:25:00.060000Z",
    "attempts": [_ATTEMPT],
}
BODY: Json = {"body": json.dumps(_BODY, separators=(",", ":"))}
TO_BE_DELIVERED: Json = {**_DELIVERY, **BODY}
AGAIN = "2026-03-01T12:30:00Z"
DELIVERED_AGAIN: Json = {
    **DELIVERED,
    **BODY,
    "status": "pending",
    "next_attempt_at": AGAIN,
    "completed_at": None,
}
