"""Who watches, and from where on: how a socket begins (api.md §7)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, QueryParams

from app.core.settings import Settings
from app.schemas.live import MAX_EVENT_ID, Authenticate

ABUSE = 1008
INTERNAL_ERROR = 1011
RESTARTING = 1012
TRY_AGAIN = 1013
UNAUTHENTICATED = 4401
FORBIDDEN = 4403
AUTHENTICATION_TIMEOUT = 4408
TOO_MANY = 4429


class Close(Exception):
    """The socket is to be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(f"{code} {reason}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token that nobody has verified yet, and the last event that its bearer has seen."""

    token: str
    last_event_id: int | None


def check_origin(headers: Headers, settings: Settings) -> None:
    """Browsers say whose page connects; others say nothing. Raises Close."""
    origin = headers.get("origin")
    if origin is not None and origin not in settings.cors_origins:
        raise Close(FORBIDDEN, "origin not allowed")


async def credentials(
    headers: Headers,
    subprotocols: list[str],
    query: QueryParams,
    first_message: Callable[[], Awaitable[Authenticate]],
    settings: Settings,
) -> Credentials:
    """
    The token from the header, from a subprotocol (browsers), from the address where that is
    allowed, or from the first message. Raises Close.
    """
    last_event_id = _last_event_id(query)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return Credentials(token.strip(), last_event_id)
    for protocol in subprotocols:
        if protocol.startswith("bearer."):
            return Credentials(protocol.removeprefix("bearer."), last_event_id)
    if (token := query.get("token", "")) and settings.ws_allow_query_token:
        return Credentials(token, last_event_id)
    data = (await first_message()).data
    if data.last_event_id is not None:
        last_event_id = data.last_event_id
    return Credentials(data.token, last_event_id)


def _last_event_id(query: QueryParams) -> int | None:
    given = query.get("last_event_id", "")
    if not given:
        return None
    # Taken for none, it would lose what the client asks for.
    if not (given.isascii() and given.isdecimal() and len(given) < 20):
        raise Close(ABUSE, "last_event_id must be the id of an event")
    return min(int(given), MAX_EVENT_ID)
