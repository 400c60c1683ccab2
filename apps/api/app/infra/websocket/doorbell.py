"""What every doorbell between processes does alike, whoever carries its rings."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

logger = logging.getLogger(__name__)

_RECONNECT_S = 1.0
#: Messages that wait to be sent; then the oldest make room.
_MAX_WAITING = 10_000

T = TypeVar("T")


class Listener(ABC):
    """Hears what any process rings or says, for as long as `run` runs."""

    #: Errors that say that who carries the rings is away.
    away: ClassVar[tuple[type[Exception], ...]]

    def __init__(
        self,
        url: str,
        *,
        on_ring: Callable[[UUID | None], None],
        on_output: Callable[[UUID, UUID, bytes], None],
    ) -> None:
        """`on_ring(None)` means: anybody may have news. `on_output` is given whose execution it
        is, which one, and the message."""
        self._url = url
        self._on_ring = on_ring
        self._on_output = on_output

    async def run(self) -> None:
        """Listen until cancelled; comes back by itself after an outage."""
        while True:
            try:
                await self._listen()
            except self.away as error:
                logger.warning("the doorbell is away: %s", error)
            except (ValueError, LookupError) as error:
                logger.warning("the doorbell said what nobody of ours says: %r", error)
            await asyncio.sleep(_RECONNECT_S)

    @abstractmethod
    async def _listen(self) -> None:
        """Connect, ring for everybody, as rings may have been missed, and listen until an error.
        A message that is not one of ours raises ValueError or LookupError."""


class Outbox(Generic[T]):
    """Messages on their way out; putting one in never waits and never fails."""

    def __init__(self) -> None:
        self._waiting: deque[T] = deque(maxlen=_MAX_WAITING)
        self._news = asyncio.Event()

    def put(self, message: T) -> None:
        self._waiting.append(message)
        self._news.set()

    async def take(self) -> list[T]:
        """All that waits, as soon as anything does."""
        await self._news.wait()
        self._news.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken
