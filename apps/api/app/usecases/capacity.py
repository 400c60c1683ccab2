"""
How many agents Renum has at work at Suna at once, over all processes (SUNA_MAX_PARALLEL_RUNS).

Suna refuses starts beyond its own limit, and remembers a refusal for minutes (suna.md §1.4): so
Renum counts for itself. The rows are the count: a step is at Suna while it has a run, or a stop
that is not confirmed. Nothing is reserved, so nothing can be lost with a process.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from app.domain.errors import DatabaseUnavailable
from app.domain.execution import Execution
from app.domain.results import AgentResult
from app.usecases.executions import store
from app.usecases.limits import Limits, SunaLimit
from app.usecases.ports import Database, NewId

logger = logging.getLogger(__name__)


class SunaCapacity:
    """One process's part; `run` wakes those whose turn has come."""

    def __init__(
        self, db: Database, limits: Limits, suna: SunaLimit, new_id: NewId, *, poll_s: float = 0.5
    ) -> None:
        """Room that another process made is seen after *poll_s*; our own at once."""
        self._db, self._limits, self._suna, self._new_id = db, limits, suna, new_id
        self._poll_s = poll_s
        self._waiting: dict[UUID, asyncio.Event] = {}
        self._news = asyncio.Event()

    async def begin(
        self, execution: Execution, ready: Sequence[AgentResult], now: datetime
    ) -> list[AgentResult]:
        """Store an execution, and begin what Suna has room for; the rest of *ready* waits in
        line. Returns what was begun."""
        async with self._db.transaction() as tx:
            await tx.events.lock(execution.user_id)
            # The rows must say what has ended before they are counted.
            execution.begin([], now, self._new_id)
            if execution.has_changed:
                await store(tx, execution, self._limits, now=now)
            keys = await tx.capacity.admit(
                self._suna, execution.id, [r.key for r in ready], user_id=execution.user_id
            )
            begun = [r for r in ready if r.key in keys]
            execution.hold([r for r in ready if r.key not in keys], now)
            execution.begin(begun, now, self._new_id)
            if execution.has_changed:
                await tx.executions.save(execution)
        return begun

    async def turn_of(self, execution_id: UUID) -> None:
        """Wait until a step of an execution may be the next in line."""
        turn = self._waiting.setdefault(execution_id, asyncio.Event())
        self._news.set()
        try:
            await turn.wait()
        finally:
            self._waiting.pop(execution_id, None)

    def freed(self) -> None:
        """An agent of this process may have ended."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled: one look at the rows for all that wait here, and only while some do."""
        while True:
            if self._waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._news.wait()
            else:
                await self._news.wait()
            self._news.clear()
            if not self._waiting:
                continue
            for execution_id in await self._next_in_line():
                if turn := self._waiting.get(execution_id):
                    turn.set()

    async def _next_in_line(self) -> set[UUID]:
        try:
            async with self._db.autocommit() as tx:
                return await tx.capacity.next_in_line(self._suna)
        except DatabaseUnavailable as error:
            logger.warning("cannot look who is next in line: %s", error)
            return set()
