"""
Hands the event log to the watchers of this process.

Every user with watchers has one feed: it reads rows above the lowest cursor once and gives every
watcher what lies above its own. A new watcher first reads pages of the log by itself, at its own
speed, and joins the feed where that leaves it: no gap and no duplicate in between.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from app.domain.errors import DatabaseUnavailable
from app.domain.watching import (
    EVERYTHING,
    Interest,
    Message,
    ResyncRequired,
    StreamClosing,
    TooManyWatchers,
)
from app.infra.websocket.watcher import PAGE, Phase, Watcher
from app.usecases.ports import Database

logger = logging.getLogger(__name__)

#: The log is looked at so often without any ring, in seconds.
LOOK_S = 15.0
_RETRY_S = 1.0

#: Told for each event how many seconds after it happened watchers were given it.
Delivered = Callable[[float], None]


class _Feed:
    """All watchers of one user; a task reads for them while there is something to read."""

    def __init__(self, db: Database, user_id: UUID, delivered: Delivered | None) -> None:
        self._db = db
        self._user_id = user_id
        self._delivered = delivered
        self.watchers: set[Watcher] = set()
        #: Watchers, and those that are about to be.
        self.seats = 0
        self.rings = 0
        self._rung = False
        self._task: asyncio.Task[None] | None = None

    @property
    def _joined(self) -> list[Watcher]:
        return [w for w in self.watchers if w.phase is Phase.JOINED and not w.too_slow]

    def ring(self) -> None:
        """There may be news."""
        self.rings += 1
        self._rung = True
        if self._task is None:
            self._task = asyncio.create_task(self._read_all(), name=f"feed of {self._user_id}")

    def is_off(self, head: int) -> bool:
        """Whether somebody has not seen all of the log, or more than all of it."""
        return any(w.cursor != head for w in self._joined)

    async def _read_all(self) -> None:
        try:
            while self._rung:
                self._rung = False
                try:
                    while await self._read():
                        pass
                except DatabaseUnavailable as error:
                    logger.warning("cannot read the event log: %s", error)
                    await asyncio.sleep(_RETRY_S)
                    self._rung = True
        finally:
            self._task = None

    async def _read(self) -> bool:
        """Whether there may be more."""
        joined = self._joined
        if not joined:
            return False
        lowest, highest = min(w.cursor for w in joined), max(w.cursor for w in joined)
        async with self._db.autocommit() as tx:
            events = await tx.events.after(self._user_id, lowest, limit=PAGE)
            bounds = None if events else await tx.events.bounds(self._user_id)
        if bounds is not None:
            last, oldest = bounds
            for watcher in joined:
                if watcher.cursor > last:
                    watcher.lose(oldest)
        for watcher in joined:
            if watcher.phase is Phase.JOINED:
                watcher.bring(events)
        if self._delivered is not None:
            for event in events:
                if event.id > highest:  # not what a latecomer catches up on
                    self._delivered(event.age_s)
        return len(events) == PAGE


class Hub:
    """The `LiveStream` port. `run` looks at the log from time to time, rung or not."""

    def __init__(
        self, db: Database, *, max_per_user: int, delivered: Delivered | None = None
    ) -> None:
        self._db = db
        self._max_per_user = max_per_user
        self._delivered = delivered
        self._feeds: dict[UUID, _Feed] = {}
        self._look = asyncio.Event()
        self._closing = False

    @property
    def connections(self) -> int:
        return sum(len(feed.watchers) for feed in self._feeds.values())

    @asynccontextmanager
    async def subscribe(
        self, user_id: UUID, *, after: int | None, interest: Interest = EVERYTHING
    ) -> AsyncIterator[Watcher]:
        if self._closing:
            raise StreamClosing("The server restarts; come back in a moment.")
        feed = self._feeds.get(user_id)
        if feed is None:
            feed = self._feeds[user_id] = _Feed(self._db, user_id, self._delivered)
        if feed.seats >= self._max_per_user:
            raise TooManyWatchers(
                f"You have {self._max_per_user} live connections already; close one of them."
            )
        feed.seats += 1
        try:
            rings = feed.rings
            last, oldest = await self._bounds(user_id)
            if after is not None and not oldest - 1 <= after <= last:
                raise ResyncRequired(oldest)
            cursor = last if after is None else after
            watcher = Watcher(self._db, user_id, interest, cursor=cursor, bell=feed)
            feed.watchers.add(watcher)
            if cursor == last:
                watcher.join(rings)
            try:
                yield watcher
            finally:
                feed.watchers.discard(watcher)
        finally:
            feed.seats -= 1
            if not feed.seats:
                self._feeds.pop(user_id, None)

    async def _bounds(self, user_id: UUID) -> tuple[int, int]:
        async with self._db.autocommit() as tx:
            return await tx.events.bounds(user_id)

    def ring(self, user_id: UUID | None) -> None:
        """There may be news of this user, or of anybody."""
        if user_id is None:
            self._look.set()
        elif feed := self._feeds.get(user_id):
            feed.ring()

    def output(self, user_id: UUID, execution_id: UUID, text: bytes) -> None:
        """Live text for whoever watches right now."""
        if feed := self._feeds.get(user_id):
            message = Message(text)
            for watcher in feed.watchers:
                watcher.bring_output(execution_id, message)

    async def run(self) -> None:
        """Find what no ring has told, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._look.wait()
            self._look.clear()
            try:
                async with self._db.autocommit() as tx:
                    heads = await tx.events.heads(list(self._feeds))
            except DatabaseUnavailable as error:
                logger.warning("cannot look at the event log: %s", error)
                await asyncio.sleep(_RETRY_S)
                self._look.set()
                continue
            for user_id, feed in self._feeds.items():
                if feed.is_off(heads.get(user_id, 0)):
                    feed.ring()

    def close(self) -> None:
        """End every subscription: the process is about to stop."""
        self._closing = True
        for feed in self._feeds.values():
            for watcher in feed.watchers:
                watcher.close()
