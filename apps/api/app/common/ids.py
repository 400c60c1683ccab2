"""UUIDs that carry their time (RFC 9562 §5.7)."""

from datetime import datetime
from uuid import UUID

NIL = UUID(int=0)


def first_id_at(moment: datetime) -> UUID:
    """The lowest UUIDv7 of a moment: ids made earlier sort before it. Exact to a millisecond."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62))
