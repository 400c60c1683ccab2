"""What problems tell besides what their class says, by its code."""

from typing import Any

Json = dict[str, Any]


def _place(*loc: str | int, code: str, message: str) -> Json:
    return {"loc": ["body", *loc], "code": code, "message": message}


#: All of `Invalid` name places; where the request's head is wrong, none.
EXTRAS: dict[str, Json] = {
    "validation_error": {"errors": [_place("name", code="missing", message="is required")]},
    "malformed_json": {
        "errors": [_place(code="malformed_json", message="is not valid JSON at character 31")]
    },
    "malformed_if_match": {"errors": []},
    "idempotency_key_reused": {"errors": []},
    "unknown_agent": {
        "errors": [
            _place(
                "agents",
                0,
                "agent_id",
                code="unknown_agent",
                message="There is no agent 5a4d0001-0000-4000-8000-000000000009.",
            )
        ]
    },
    "workflow_has_cycle": {
        "errors": [
            _place("agents", n, code="workflow_has_cycle", message="Part of the cycle.")
            for n in (0, 1)
        ]
    },
    "version_mismatch": {"version": 3},
    "resync_required": {"oldest_event_id": 1042},
}
