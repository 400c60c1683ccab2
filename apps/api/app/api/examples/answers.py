"""Bodies of successful answers, by the operation's name."""

from typing import Any

from app import __version__
from app.api.examples import executions, teams, told
from app.api.examples.requests import REQUESTS

Json = dict[str, Any]

_USER: Json = {
    "id": told.USER_ID,
    "email": REQUESTS["login"]["email"],
    "name": "Ana Souza",
}
_SESSION: Json = {
    "access_token": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9...",
    "token_type": "bearer",
    "expires_in": 3600,
    "expires_at": 1772369700,
    "refresh_token": REQUESTS["refresh"]["refresh_token"],
    "user": _USER,
}
_API_KEY: Json = {
    "id": "019ca940-7620-727c-b30e-f4931da3d886",
    "name": REQUESTS["create_api_key"]["name"],
    "prefix": "rk_uNV-lDsd",
    "scopes": ["execute", "read"],
    "created_at": teams.MADE,
    "expires_at": None,
    "last_used_at": None,
}


def _service(latency_ms: int, **more: object) -> Json:
    return {"status": "healthy", "latency_ms": latency_ms, **more}


_HEALTH: Json = {
    "status": "ok",
    "services": {
        "database": _service(1),
        "suna_backend": _service(38, breaker="closed"),
        "supabase": _service(21, breaker="closed"),
        "rate_limits": {"status": "healthy", "storage": "memory"},
        "queue": _service(1, pending=0, running=1, workers=3),
        "websocket": {"status": "healthy", "connections": 3},
    },
}
_DOWN = {"status": "unhealthy", "latency_ms": 2001}


def _page_of(name: str, *items: Json) -> Json:
    pagination = {"page": 1, "limit": 10, "total": len(items), "pages": 1}
    return {name: list(items), "pagination": pagination}


ANSWERS: dict[str, Json] = {
    "login": _SESSION,
    "refresh": {**_SESSION, "refresh_token": "x7y8z9a0b1c2"},
    "me": _USER,
    "list_agents": {
        **_page_of("agents", teams.STRATEGIST, teams.COPYWRITER),
        "stale": False,
    },
    "get_agent": teams.STRATEGIST,
    "create_api_key": {**_API_KEY, "key": "rk_uNV-lDsde7jlN2lH1tIp0f1L35xRif4YbimOOUm5V2A"},
    "list_api_keys": _page_of("api_keys", _API_KEY),
    "create_team": teams.TEAM,
    "get_team": teams.TEAM,
    "list_teams": _page_of("teams", teams.CHANGED_SUMMARY),
    "update_team": teams.CHANGED_TEAM,
    "list_team_versions": _page_of("versions", *teams.VERSIONS),
    "validate_team": teams.plan("[prompt]"),
    "plan_team": teams.plan(teams.BRIEF),
    "execute_team": executions.STARTED_EXECUTION,
    "get_execution": executions.EXECUTION,
    "list_executions": _page_of("executions", executions.SUMMARY),
    "list_execution_logs": {"logs": executions.LOGS, "next_after": None},
    "explain_execution": executions.EXPLANATION,
    "get_execution_timeline": executions.TIMELINE,
    "cancel_execution": {
        "execution_id": executions.CANCELLED_ID,
        "status": "cancelled",
        "cancelled_at": "2026-03-01T12:05:21Z",
    },
    "retry_execution": executions.RETRIED,
    "follow_events": told.EVENTS,
    "follow_execution_events": told.EXECUTION_EVENTS,
    "list_notifications": {
        **_page_of("notifications", told.NOTIFICATION),
        "unread_count": 1,
    },
    "mark_notification_read": {**told.NOTIFICATION, "read": True},
    "mark_all_notifications_read": {"marked": 1},
    "create_webhook": {**told.WEBHOOK_MADE, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    "get_webhook": told.WEBHOOK_MADE,
    "list_webhooks": _page_of("webhooks", told.WEBHOOK_MADE),
    "update_webhook": told.WEBHOOK_CHANGED,
    "rotate_webhook_secret": {
        **told.WEBHOOK_CHANGED,
        "secret": "whsec_5grSYppRv3YGCPCE4I1hWkxCJCiVZwnBJn1suQo516k=",
    },
    "test_webhook": told.TO_BE_DELIVERED,
    "get_webhook_delivery": {**told.DELIVERED, **told.BODY},
    "list_webhook_deliveries": _page_of("deliveries", told.DELIVERED),
    "redeliver_webhook": told.DELIVERED_AGAIN,
    "health": {"status": "ok", "version": __version__, "timestamp": teams.MADE},
    "ready": {"status": "ready"},
    "services_health": _HEALTH,
}
#: Of those whose failures are answered in a shape of their own.
FAILURES: dict[str, Json] = {
    "services_health": {
        "status": "down",
        "services": {
            **_HEALTH["services"],
            "database": _DOWN,
            "queue": {**_DOWN, "pending": None, "running": None, "workers": None},
        },
    }
}
#: Of those that answer text: as plain text, or as a stream of events.
TEXTS: dict[str, str] = {
    "get_result_text": teams.DRAFT,
    "follow_events": told.STREAM,
    "follow_execution_events": told.EXECUTION_STREAM,
}
