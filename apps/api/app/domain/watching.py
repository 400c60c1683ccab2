"""What a watcher of the live stream wants to hear, and why one is turned away."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.errors import LimitReached, RenumError


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


class ResyncRequired(RenumError):
    """The log no longer reaches back to the id the watcher knows: read the snapshots anew."""

    code = "resync_required"
    title = "The event log no longer reaches back that far"

    def __init__(self, oldest_event_id: int) -> None:
        self.oldest_event_id = oldest_event_id
        super().__init__(f"Events before {oldest_event_id} are no longer kept.")


class SlowWatcher(RenumError):
    """The watcher reads more slowly than events come; it resumes with its last id."""

    code = "slow_watcher"
    title = "Too slow"


class TooManyWatchers(LimitReached):
    """The user has as many live connections as one may have."""

    code = "too_many_connections"
    title = "Too many live connections"
