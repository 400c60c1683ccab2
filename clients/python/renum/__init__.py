"""
Renum: teams of AI agents, from Python.

    import asyncio
    from renum import AsyncClient

    async def main() -> None:
        async with AsyncClient("http://127.0.0.1:8000") as renum:
            await renum.login("ana@renum.example", "renum-demo")
            print(await renum.teams.list())

    asyncio.run(main())
"""

from renum.blocking import Client
from renum.client import AsyncClient
from renum.credentials import FileTokenStore, MemoryTokenStore, Tokens, TokenStore
from renum.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    FieldError,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    RenumError,
    Unauthorized,
    UnexpectedAnswer,
)
from renum.events import ConnectionState, EventStream
from renum.models import (
    Agent,
    AgentResult,
    Event,
    Execution,
    Explanation,
    LogLine,
    Notification,
    Plan,
    Progress,
    Team,
    TeamAgent,
    TeamSummary,
    TeamVersion,
    Timeline,
    User,
)
from renum.resources.api_keys import ApiKey, NewApiKey
from renum.resources.webhooks import Delivery, Webhook, WebhookWithSecret
from renum.timing import Timing

__all__ = [
    "Agent",
    "AgentResult",
    "ApiError",
    "ApiKey",
    "AsyncClient",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "ConnectionState",
    "Delivery",
    "Event",
    "EventStream",
    "Execution",
    "Explanation",
    "FieldError",
    "FileTokenStore",
    "InvalidRequest",
    "LogLine",
    "MemoryTokenStore",
    "NewApiKey",
    "NotFound",
    "NotSignedIn",
    "Notification",
    "Plan",
    "Progress",
    "RenumError",
    "Team",
    "TeamAgent",
    "TeamSummary",
    "TeamVersion",
    "Timeline",
    "Timing",
    "TokenStore",
    "Tokens",
    "Unauthorized",
    "UnexpectedAnswer",
    "User",
    "Webhook",
    "WebhookWithSecret",
]
