"""
What is said on the live stream, from either side (api.md §7).

The events themselves are in `app.domain.events`; here is what is told and not stored, and what a
watcher may say. `app.api.live.asyncapi` makes the published document of both.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter
from pydantic_core import to_json

from app.domain.progress import ExecutionStatus
from app.domain.watching import Message
from app.schemas.base import Answer, Request
from app.schemas.executions import ExecutionAnswer

#: Executions that one `subscribe` may name: each is answered with all of it.
MAX_EXECUTIONS = 50
MAX_EVENT_ID = 2**63 - 1

EventType = Literal[
    "execution_status_update",
    "agent_started",
    "agent_completed",
    "execution_log",
    "new_notification",
    "team_updated",
    "agent_output",
]


# --- from the server, without an id -----------------------------------------------------------


class Said(Answer):
    """The `data` of a message that is told and not stored."""

    message_type: ClassVar[str]

    def as_message(self) -> Message:
        """As it is sent, as of now."""
        told = {"type": self.message_type, "data": self, "timestamp": datetime.now(UTC)}
        return Message(to_json(told))


class Connected(Said):
    """The first message: who was recognised, and where the log stands."""

    message_type = "connected"
    user_id: UUID
    last_event_id: int = Field(
        description="Resume with it; what you missed follows, or what happens from now on."
    )
    heartbeat_s: int = Field(description="Seconds between two heartbeats.")


class Heartbeat(Said):
    """The server is there, and you have everything up to this id."""

    message_type = "heartbeat"
    last_event_id: int


class Subscribed(Said):
    """What you hear from here on, after a `subscribe` or an `unsubscribe`."""

    message_type = "subscribed"
    execution_ids: list[UUID] | None = Field(description="Null: those and everything else.")
    types: list[str] | None = Field(description="Null: all.")
    as_of_id: int = Field(description="It holds for events with a higher id.")


class ExecutionSnapshot(ExecutionAnswer, Said):
    """A subscribed execution in full; only newer events of it follow."""

    message_type = "execution_snapshot"
    as_of_id: int = Field(description="Events up to this id are in it.")


class AgentOutput(Said):
    """A piece of what a running agent says. Pieces may be missing: results hold the whole text."""

    message_type = "agent_output"
    execution_id: UUID
    key: str
    agent_id: UUID
    attempt: int
    offset: int = Field(description="Of its first character in what the attempt has said.")
    text: str


class TokenExpiring(Said):
    """The session ends with its token in a minute: send `authenticate` with a fresh one."""

    message_type = "token_expiring"
    expires_at: datetime


class Authenticated(Said):
    """A fresh token was accepted."""

    message_type = "authenticated"
    expires_at: datetime


class Pong(Said):
    """The answer to `ping`."""

    message_type = "pong"


class StreamError(Said):
    """Something you asked for could not be done; the stream goes on unless it is closed."""

    message_type = "error"
    code: str
    message: str
    oldest_event_id: int | None = Field(
        None, description="With `resync_required`: the oldest event that is still kept."
    )


class StreamEnd(Said):
    """The execution has ended, and with it this stream. Server-sent events only."""

    message_type = "stream_end"
    execution_id: UUID
    status: ExecutionStatus
    last_event_id: int


# --- from the watcher -------------------------------------------------------------------------


class AuthenticateData(Request):
    token: str = Field(max_length=16_384)
    last_event_id: int | None = Field(None, ge=0, le=MAX_EVENT_ID)


class Authenticate(Request):
    """The first message of who sent no token before, or a fresh token at any time."""

    type: Literal["authenticate"]
    data: AuthenticateData


class SubscribeData(Request):
    execution_ids: list[UUID] | None = Field(None, min_length=1, max_length=MAX_EXECUTIONS)
    types: list[EventType] | None = Field(None, min_length=1)


class Subscribe(Request):
    """Hear less than everything. Each named execution is told first, by an `execution_snapshot`."""

    type: Literal["subscribe"]
    data: SubscribeData


class Unsubscribe(Request):
    """Hear everything again."""

    type: Literal["unsubscribe"]
    data: dict[str, Any] = Field(default_factory=dict)


class Ping(Request):
    """Are you there?"""

    type: Literal["ping"]
    data: dict[str, Any] = Field(default_factory=dict)


ClientMessage = Authenticate | Subscribe | Unsubscribe | Ping

#: Reads one message. Raises pydantic.ValidationError.
client_message: TypeAdapter[ClientMessage] = TypeAdapter(
    Annotated[ClientMessage, Field(discriminator="type")]
)
