"""
Request bodies of the OpenAPI document, by the operation's name.

With the sandbox behind it, a server answers each with success (tests/endpoints/test_examples.py);
the refresh token alone has to be one's own.
"""

from typing import Any

_TEAM: dict[str, Any] = {
    "name": "Marketing Team",
    "description": "Team for marketing automation",
    "workflow_type": "sequential",
    "agents": [
        {
            "agent_id": "5a4d0001-0000-4000-8000-000000000001",
            "key": "outline",
            "role": "leader",
            "order": 1,
            "config": {"input_source": "initial_prompt", "conditions": []},
        },
        {"agent_id": "5a4d0002-0000-4000-8000-000000000002", "key": "draft", "order": 2},
    ],
}
_RUN: dict[str, Any] = {
    "input_data": {
        "prompt": "Create a marketing campaign for product X",
        "context": {"product": "Product X", "target_audience": "Young professionals"},
    },
    "execution_config": {"timeout_minutes": 30, "parallel_limit": 3, "retry_failed": True},
}
REQUESTS: dict[str, dict[str, Any]] = {
    "login": {"email": "ana@renum.example", "password": "renum-demo"},
    "refresh": {"refresh_token": "v1r2s3t4u5w6"},
    "create_api_key": {"name": "Nightly report", "scopes": ["read", "execute"]},
    "create_team": _TEAM,
    "validate_team": _TEAM,
    "update_team": {"description": "From a brief to a campaign", "status": "active"},
    "execute_team": _RUN,
    "plan_team": _RUN,
    "create_webhook": {"url": "https://example.com/renum", "events": ["execution.failed"]},
    "update_webhook": {"description": "Tells the team's channel", "enabled": True},
}


def add_example(operation: dict[str, Any]) -> None:
    """Write the example of an operation's body, where it takes one, into an OpenAPI document."""
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        content["example"] = REQUESTS[operation["operationId"]]
