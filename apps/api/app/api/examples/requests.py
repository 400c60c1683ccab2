"""Request bodies, by the operation's name; a refresh token alone has to be one's own."""

from typing import Any

TEAM: dict[str, Any] = {
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
RUN: dict[str, Any] = {
    "input_data": {
        "prompt": "Create a marketing campaign for product X",
        "context": {"product": "Product X", "target_audience": "Young professionals"},
    },
    "execution_config": {"timeout_minutes": 30, "parallel_limit": 3, "retry_failed": True},
}
TEAM_CHANGE: dict[str, Any] = {"description": "From a brief to a campaign", "status": "active"}
WEBHOOK: dict[str, Any] = {"url": "https://example.com/renum", "events": ["execution.failed"]}
WEBHOOK_CHANGE: dict[str, Any] = {"description": "Tells the team's channel", "enabled": True}
REQUESTS: dict[str, dict[str, Any]] = {
    "login": {"email": "ana@renum.example", "password": "renum-demo"},
    "refresh": {"refresh_token": "v1r2s3t4u5w6"},
    "create_api_key": {"name": "Nightly report", "scopes": ["read", "execute"]},
    "create_team": TEAM,
    "validate_team": TEAM,
    "update_team": TEAM_CHANGE,
    "execute_team": RUN,
    "plan_team": RUN,
    "create_webhook": WEBHOOK,
    "update_webhook": WEBHOOK_CHANGE,
}
