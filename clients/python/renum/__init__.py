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
    Notification,
    Progress,
    Team,
    TeamAgent,
    TeamSummary,
    User,
)
from renum.timing import Timing

__all__ = [
    "Agent",
    "AgentResult",
    "ApiError",
    "AsyncClient",
    "Conflict",
    "ConnectionFailed",
    "ConnectionState",
    "Event",
    "EventStream",
    "Execution",
    "FieldError",
    "FileTokenStore",
    "InvalidRequest",
    "MemoryTokenStore",
    "NotFound",
    "NotSignedIn",
    "Notification",
    "Progress",
    "RenumError",
    "Team",
    "TeamAgent",
    "TeamSummary",
    "Timing",
    "TokenStore",
    "Tokens",
    "Unauthorized",
    "UnexpectedAnswer",
    "User",
]
