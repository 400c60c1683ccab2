"""Pages of the event log (api.md §7)."""

from typing import Any

from pydantic import Field

from app.schemas.base import Answer


class EventsAnswer(Answer):
    """A piece of the log; its messages are those of the live stream."""

    events: list[dict[str, Any]] = Field(
        description="Oldest first: `type`, `id`, `timestamp`, `data`."
    )
    next_after: int = Field(description="Ask with this `after` for what follows, also later on.")
    has_more: bool = Field(description="Whether there is more already.")
    last_event_id: int = Field(description="The newest event of the caller.")
    oldest_event_id: int = Field(description="The oldest event that is still kept.")
