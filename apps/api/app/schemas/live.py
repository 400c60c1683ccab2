"""What a watcher may say on the WebSocket (api.md §7)."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from app.schemas.base import Request


class AuthenticateData(Request):
    token: str = Field(max_length=16_384)
    last_event_id: int | None = Field(None, ge=0, le=2**63 - 1)


class Authenticate(Request):
    """The first message of who sent no token before, or a fresh token at any time."""

    type: Literal["authenticate"]
    data: AuthenticateData


class Ping(Request):
    type: Literal["ping"]
    data: dict[str, Any] = Field(default_factory=dict)


#: Reads one message. Raises pydantic.ValidationError.
client_message: TypeAdapter[Authenticate | Ping] = TypeAdapter(
    Annotated[Authenticate | Ping, Field(discriminator="type")]
)
