"""
Hands the event log to the watchers of this process.

Every user with watchers has one feed: it reads rows above the lowest cursor once and gives every
watcher what lies above its own. A new watcher first reads pages of the log by itself, at its own
speed, and joins the feed where that leaves it: no gap and no duplicate in between.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from app.domain.errors import DatabaseUnavailable
from app.domain.events import StoredEvent
from app.domain.watching import (
    EVERYTHING,
    Interest,
    ResyncRequired,
    SlowWatcher,
    TooManyWatchers,
)
from app.infra.websocket.messages import OUTPUT
from app.usecases.ports import Database

logger = logging.getLogger(__name__)

#: Rows read at once.
PAGE = 200
#: Messages that may wait for a watcher before it counts as too slow.
MAX_WAITING = 1_000
#: Live text is dropped for a watcher that has so many messages waiting.
MAX_WAITING_OUTPUT = 200
#: The log is looked at so often without any ring, in seconds.
LOOK_S = 15.0


class Watcher:
    """The `Subscription` port: one socket's queue."""

    def __init__(
        self,
        db: Database,
        user_id: UUID,
        cursor: int,
        interest: Interest,
        on_join: Callable[[], None],
    ) -> None:
        self._db = db
        self._user_id = user_id
        self._on_join = on_join
        self.interest = interest
        #: The last id that was looked at; and the one up to which everything wanted was handed out.
        self.cursor = cursor
        self._handed_out = cursor
        self.joined = False
        self.too_slow = False
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()

    @property
    def last_event_id(self) -> int:
        return self._handed_out if self._waiting else self.cursor

    async def next(self) -> Sequence[bytes]:
        while not self.joined:
            if page := await self._read_page():
                return page
        while not self._waiting:
            if self.too_slow:
                raise SlowWatcher("Too many messages waited; resume with the last id.")
            self._news.clear()
            await self._news.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        self._handed_out = self.cursor
        return taken

    async def _read_page(self) -> list[bytes]:
        async with self._db.reading() as tx:
            events = await tx.events.after(self._user_id, self.cursor, limit=PAGE)
        if len(events) < PAGE:
            self.joined = True
            self._on_join()  # what was written since the page was read is the feed's to bring
        if events:
            self.cursor = events[-1].id
        return [e.message for e in events if self.interest.covers(e.type, e.execution_id)]

    def put(self, event: StoredEvent) -> None:
        """A durable event; none that is wanted is ever dropped or skipped."""
        if event.id <= self.cursor or self.too_slow:
            return
        if not self.interest.covers(event.type, event.execution_id):
            self.cursor = event.id
            return
        if len(self._waiting) >= MAX_WAITING:
            self.too_slow = True
        else:
            self.cursor = event.id
            self._waiting.append(event.message)
        self._news.set()

    def put_output(self, execution_id: UUID, message: bytes) -> None:
        """Live text: the first thing that a slow watcher misses."""
        wanted = self.interest.covers(OUTPUT, execution_id)
        if wanted and self.joined and len(self._waiting) < MAX_WAITING_OUTPUT:
            self._waiting.append(message)
            self._news.set()


class _Feed:
    """All watchers of one user."""

    def __init__(self, db: Database, user_id: UUID) -> None:
        self._db = db
        self._user_id = user_id
        self._bell = asyncio.Event()
        self.watchers: set[Watcher] = set()
        self.task = asyncio.create_task(self._run(), name=f"feed of {user_id}")

    def ring(self) -> None:
        self._bell.set()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._bell.wait()
            self._bell.clear()
            try:
                while await self._read():
                    pass
            except DatabaseUnavailable as error:
                logger.warning("cannot read the event log: %s", error)
                await asyncio.sleep(1.0)
                self._bell.set()

    async def _read(self) -> bool:
        """Whether there may be more."""
        joined = [w for w in self.watchers if w.joined and not w.too_slow]
        if not joined:
            return False
        lowest = min(w.cursor for w in joined)
        async with self._db.reading() as tx:
            events = await tx.events.after(self._user_id, lowest, limit=PAGE)
        for event in events:
            for watcher in joined:
                watcher.put(event)
        return len(events) == PAGE


class Hub:
    """The `LiveStream` port."""

    def __init__(self, db: Database, *, max_per_user: int) -> None:
        self._db = db
        self._max_per_user = max_per_user
        self._feeds: dict[UUID, _Feed] = {}

    @property
    def connections(self) -> int:
        return sum(len(feed.watchers) for feed in self._feeds.values())

    @asynccontextmanager
    async def subscribe(
        self, user_id: UUID, *, after: int | None, interest: Interest = EVERYTHING
    ) -> AsyncIterator[Watcher]:
        async with self._db.reading() as tx:
            last, oldest = await tx.events.bounds(user_id)
        if after is not None and not oldest - 1 <= after <= last:
            raise ResyncRequired(oldest)
        feed = self._feeds.get(user_id)
        if feed is None:
            feed = self._feeds[user_id] = _Feed(self._db, user_id)
        if len(feed.watchers) >= self._max_per_user:
            raise TooManyWatchers(
                f"You have {self._max_per_user} live connections already; close one of them."
            )
        cursor = last if after is None else after
        watcher = Watcher(self._db, user_id, cursor, interest, feed.ring)
        feed.watchers.add(watcher)
        try:
            yield watcher
        finally:
            feed.watchers.discard(watcher)
            if not feed.watchers:
                feed.task.cancel()
                self._feeds.pop(user_id, None)

    def ring(self, user_id: UUID | None) -> None:
        """There may be news of this user, or of anybody."""
        feeds = self._feeds.values() if user_id is None else [self._feeds.get(user_id)]
        for feed in feeds:
            if feed is not None:
                feed.ring()

    def output(self, user_id: UUID, execution_id: UUID, message: bytes) -> None:
        """Live text for whoever watches right now."""
        feed = self._feeds.get(user_id)
        for watcher in feed.watchers if feed else ():
            watcher.put_output(execution_id, message)
