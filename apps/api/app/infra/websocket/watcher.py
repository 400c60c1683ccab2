"""One watcher of a user's events: what waits for it, and how far it has come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from app.domain.watching import (
    Interest,
    Message,
    ResyncRequired,
    SlowWatcher,
    StoredEvent,
    StreamClosing,
)
from app.infra.websocket.messages import OUTPUT
from app.usecases.ports import Database

#: Rows read at once.
PAGE = 200
#: Messages, and bytes of them, that may wait for a watcher before it counts as too slow.
MAX_WAITING = 500
MAX_WAITING_BYTES = 2 * 1024 * 1024
#: Live text is dropped for a watcher that has so many messages waiting.
MAX_WAITING_OUTPUT = 200


class Phase(Enum):
    #: Reads pages of the log by itself, at its own speed.
    CATCHING_UP = auto()
    #: The feed of its user brings what comes.
    JOINED = auto()
    #: Takes nothing new, until it is known from where it goes on.
    HELD = auto()


class Bell(Protocol):
    """Tells whether there may be news of a user."""

    #: How often it was rung.
    rings: int

    def ring(self) -> None: ...


class Watcher:
    """The `Subscription` port."""

    def __init__(
        self,
        db: Database,
        user_id: UUID,
        interest: Interest,
        *,
        cursor: int,
        bell: Bell,
    ) -> None:
        self._db = db
        self._user_id = user_id
        self._interest = interest
        self._bell = bell
        #: The last id that was looked at; and the one up to which everything wanted was handed out.
        self.cursor = cursor
        self._handed_out = cursor
        self.phase = Phase.CATCHING_UP
        self.too_slow = False
        self._lost: ResyncRequired | None = None
        self._closing = False
        self._waiting: list[Message] = []
        self._waiting_bytes = 0
        self._news: asyncio.Future[None] | None = None
        self.write: Callable[[Sequence[bytes]], bool] | None = None

    # --- the port -----------------------------------------------------------------------------

    @property
    def last_event_id(self) -> int:
        return self._handed_out if self._waiting else self.cursor

    async def next(self) -> Sequence[Message]:
        while not self._waiting:
            if self.too_slow:
                raise SlowWatcher("Too many messages waited; resume with the last id.")
            if self._lost is not None:
                raise self._lost
            if self._closing:
                raise StreamClosing("The server restarts; resume with the last id.")
            if self.phase is Phase.CATCHING_UP:
                await self._read_page()
            else:
                self._news = asyncio.get_running_loop().create_future()
                await self._news
        taken, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._handed_out = self.cursor
        return taken

    def say(self, message: Message) -> None:
        if self._is_full:
            self._fall_behind()
        else:
            self._append(message)

    def narrow(self, interest: Interest) -> int:
        self._interest = interest
        return self.cursor

    async def restart(
        self, interest: Interest, snapshot: Callable[[], Awaitable[tuple[int, Sequence[Message]]]]
    ) -> None:
        self.phase = Phase.HELD
        try:
            # Everything that was looked at is committed, so the snapshot knows of it.
            self.cursor, messages = await snapshot()
            self._interest = interest
            for message in messages:
                self._append(message)
        finally:
            self.phase = Phase.CATCHING_UP
            self._wake()

    # --- what the hub brings --------------------------------------------------------------------

    def bring(self, events: Sequence[StoredEvent]) -> None:
        """Durable events, one after the other; none that is wanted is ever dropped or skipped."""
        fresh = [e for e in events if e.id > self.cursor]
        if not fresh or self.too_slow:
            return
        if fresh[0].id != self.cursor + 1:
            self._fall_behind()  # what lies between is kept no longer
            return
        self.cursor = fresh[-1].id
        self._hand_over([e for e in fresh if self._interest.covers(e.type, e.execution_id)])

    def bring_output(self, execution_id: UUID, message: Message) -> None:
        """Live text: the first thing that a slow watcher misses."""
        if (
            self.phase is Phase.JOINED
            and len(self._waiting) < MAX_WAITING_OUTPUT
            and self._interest.covers(OUTPUT, execution_id)
        ):
            self._hand_over([message])

    def close(self) -> None:
        """What waits is still handed out; then `next` raises StreamClosing."""
        self._closing = True
        self._wake()

    def lose(self, oldest_event_id: int) -> None:
        """The log no longer has what was handed out: its user was deleted, or a backup restored."""
        self._lost = ResyncRequired(oldest_event_id)
        self._wake()

    def join(self, rings: int) -> None:
        """From here on the feed brings what comes. *rings* is how often the bell was rung when
        the log was read last: what was rung since then may be missing."""
        self.phase = Phase.JOINED
        if self._bell.rings != rings:
            self._bell.ring()

    # --- inside ---------------------------------------------------------------------------------

    async def _read_page(self) -> None:
        cursor, rings = self.cursor, self._bell.rings
        # Whoever leaves in the middle does not cost the pool a connection.
        events = await asyncio.shield(asyncio.create_task(self._page_after(cursor)))
        if self.phase is not Phase.CATCHING_UP or self.cursor != cursor:
            return  # meanwhile it was told to go on from elsewhere
        for event in events:
            if self._is_full:
                return  # it reads on from here when these are taken
            self.bring([event])
        if len(events) < PAGE and not self.too_slow:
            self.join(rings)

    async def _page_after(self, cursor: int) -> list[StoredEvent]:
        async with self._db.autocommit() as tx:
            return await tx.events.after(self._user_id, cursor, limit=PAGE)

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES

    def _hand_over(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        # Whoever waits for news has nothing else on its way: past it, nothing is overtaken.
        is_awaited = self._news is not None and not self._news.done()
        if is_awaited and self.write is not None and self.write([m.text for m in messages]):
            return
        for message in messages:
            if self._is_full:
                self._fall_behind()
                return
            self._append(message)

    def _append(self, message: Message) -> None:
        self._waiting.append(message)
        self._waiting_bytes += len(message.text)
        self._wake()

    def _fall_behind(self) -> None:
        self.too_slow = True
        self._wake()

    def _wake(self) -> None:
        if self._news is not None:
            if not self._news.done():
                self._news.set_result(None)
            self._news = None
