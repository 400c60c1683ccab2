"""What a watcher was told, over all its connections."""

from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass
class Life:
    """One connection, from its handshake to its end."""

    #: The last id that the watcher knew; the server was asked for what follows.
    after: int
    messages: list[Message] = field(default_factory=list)

    @property
    def events(self) -> list[Message]:
        """Those with an id."""
        return [m for m in self.messages if m.get("id") is not None]


@dataclass
class Recording:
    """The lives of one watcher."""

    name: str
    #: The id before the first one that is recorded.
    start: int
    lives: list[Life] = field(default_factory=list)

    @property
    def events(self) -> list[Message]:
        """In the order in which they came, however often."""
        return [event for life in self.lives for event in life.events]

    @property
    def last_id(self) -> int:
        """The newest event that it has; where it resumes."""
        return max((int(e["id"]) for e in self.events), default=self.start)

    def begin(self) -> Life:
        """A new connection."""
        self.lives.append(Life(self.last_id))
        return self.lives[-1]
