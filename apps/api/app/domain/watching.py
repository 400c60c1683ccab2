"""What a watcher of the live stream wants to hear, and why one is turned away."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.errors import Gone, LimitReached, RenumError, Unavailable


@dataclass(frozen=True, slots=True)
class Message:
    """What a watcher is told, serialised once for all who are told it."""

    text: bytes
    #: Its place in the user's log; None for what is told and not stored.
    id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent(Message):
    """A message of the log."""

    id: int
    type: str
    #: The execution it tells of; None when it tells of something else.
    execution_id: UUID | None
    #: Seconds since it happened, when it was read.
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Which events a watcher wants; None means all."""

    execution_ids: frozenset[UUID] | None = None
    types: frozenset[str] | None = None

    def covers(self, type_: str, execution_id: UUID | None) -> bool:
        """Whether an event of this type, about this execution or about none, is wanted."""
        if self.types is not None and type_ not in self.types:
            return False
        return self.execution_ids is None or execution_id in self.execution_ids


EVERYTHING = Interest()


class ResyncRequired(Gone):
    """The log no longer reaches back to the id the watcher knows: read the snapshots anew."""

    code = "resync_required"
    title = "The event log no longer reaches back that far"

    def __init__(self, oldest_event_id: int) -> None:
        self.oldest_event_id = oldest_event_id
        self.extras = {"oldest_event_id": oldest_event_id}
        super().__init__(f"Events before {oldest_event_id} are no longer kept.")


class SlowWatcher(RenumError):
    """The watcher reads more slowly than events come; it resumes with its last id."""

    code = "slow_watcher"
    title = "Too slow"


class StreamClosing(Unavailable):
    """The server stops; resume at another one, or at this one in a moment."""

    code = "server_restarting"
    title = "The server restarts"
    retry_after_s = 1


class TooManyWatchers(LimitReached):
    """The user has as many live connections as one may have."""

    code = "too_many_connections"
    title = "Too many live connections"
