"""The live stream as server-sent events: the messages of the WebSocket, with their ids."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import structlog
from fastapi.sse import format_sse_event
from pydantic_core import from_json
from starlette.responses import StreamingResponse
from starlette.types import Message as AsgiMessage
from starlette.types import Send

from app.domain.errors import Unauthenticated, Unavailable
from app.domain.events import ExecutionStatusUpdate
from app.domain.progress import ExecutionStatus
from app.domain.users import Identity
from app.domain.watching import Message, ResyncRequired, SlowWatcher, StoredEvent
from app.schemas.live import Connected, Heartbeat, Said, StreamEnd, TokenExpiring
from app.usecases.ports import Clock, Subscription, TokenVerifier

_log = structlog.get_logger(__name__)

HEARTBEAT_S = 20
EXPIRY_WARNING_S = 60
#: A browser comes back so soon after the end of the stream, in milliseconds.
RETRY_MS = 1_000
#: A client that takes nothing for so long is let go.
_SEND_S = 60


_UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """A stream that no proxy keeps or gathers, and that no client can hold up for ever."""

    media_type = "text/event-stream"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        super().init_headers({**_UNBUFFERED, **(headers or {})})

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: AsgiMessage) -> None:
            async with asyncio.timeout(_SEND_S):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            _log.info("a watcher took nothing for long, and is let go")


async def told(
    subscription: Subscription,
    identity: Identity,
    tokens: TokenVerifier,
    clock: Clock,
    *,
    execution_id: UUID | None = None,
) -> AsyncIterator[bytes]:
    """
    Everything the subscription brings, until its token expires, the server stops, or the watcher
    is too slow: then it resumes with its last id. With *execution_id*, until that one has ended.
    """
    connected = Connected(
        user_id=identity.user.id,
        last_event_id=subscription.last_event_id,
        heartbeat_s=HEARTBEAT_S,
    )
    yield _event(connected, subscription.last_event_id, retry=RETRY_MS)
    warned = False
    while True:
        left_s = (identity.expires_at - clock()).total_seconds()
        is_key = identity.scopes is not None
        expiry_s = left_s if warned or is_key else left_s - EXPIRY_WARNING_S
        try:
            async with asyncio.timeout(max(0.0, min(HEARTBEAT_S, expiry_s))):
                messages = await subscription.next()
        except TimeoutError:
            if expiry_s > HEARTBEAT_S:
                last = subscription.last_event_id
                yield _event(Heartbeat(last_event_id=last), last)
            elif is_key:
                try:
                    identity = await tokens.verify(identity.token)  # it may have been deleted
                except (Unauthenticated, Unavailable):
                    return
            elif warned:
                return
            else:
                warned = True
                yield _event(TokenExpiring(expires_at=identity.expires_at), None)
            continue
        except (SlowWatcher, ResyncRequired, Unavailable):
            return
        for message in messages:
            yield _line(message)
            if execution_id is not None and (status := _final_status(message)):
                last = message.id or 0
                end = StreamEnd(execution_id=execution_id, status=status, last_event_id=last)
                yield _event(end, last)
                return


def _final_status(message: Message) -> ExecutionStatus | None:
    if not (isinstance(message, StoredEvent) and message.type == ExecutionStatusUpdate.event_type):
        return None
    status = ExecutionStatus(from_json(message.text)["data"]["status"])
    return status if status.is_final else None


def _event(said: Said, event_id: int | None, *, retry: int | None = None) -> bytes:
    return _line(Message(said.as_message().text, event_id), retry=retry)


def _line(message: Message, *, retry: int | None = None) -> bytes:
    event_id = None if message.id is None else str(message.id)
    return format_sse_event(data_str=message.text.decode(), id=event_id, retry=retry)
