"""Why a watcher of the live stream is turned away."""

from app.domain.errors import LimitReached, RenumError


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
