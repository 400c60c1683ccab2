"""What is kept, and for how long."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.common.ids import NIL
from app.domain.idempotency import KEPT
from app.usecases.ports import Database, Pruned, Transaction

logger = logging.getLogger(__name__)

#: Rows that go in one statement: their locks are held for milliseconds.
BATCH = 2_000
#: Users whose events go in one statement.
USERS_BATCH = 100
#: Executions that go in one statement; each takes its results, texts and log lines with it.
EXECUTIONS_BATCH = 100
#: The delivery log of webhooks.
DELIVERIES_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long things are kept after they ended; None is for ever."""

    events: timedelta
    executions: timedelta | None = None
    logs: timedelta | None = None
    notifications: timedelta | None = None


async def prune_ended(db: Database, kept: Kept, *, now: datetime) -> None:
    """
    Delete executions, their log lines, and what tells of them, each when its time is over.

    An execution goes whole, and no notification or delivery outlives it. One that has not ended
    stays, however old.
    """

    async def notifications(tx: Transaction, after: UUID) -> Pruned:
        return await tx.retention.prune_notifications(before, after=after, limit=BATCH)

    async def executions(tx: Transaction, after: UUID) -> Pruned:
        return await tx.retention.prune_executions(before, after=after, limit=EXECUTIONS_BATCH)

    async def logs(tx: Transaction, after: UUID) -> Pruned:
        return await tx.retention.prune_logs(before, after=after, limit=EXECUTIONS_BATCH)

    if told := _shortest(kept.notifications, kept.executions):
        before = now - told
        await _walk(db, "notifications", notifications)
    if told := _shortest(DELIVERIES_KEPT, kept.executions):
        await prune_deliveries(db, before=now - told)
    if kept.executions:
        before = now - kept.executions
        await _walk(db, "executions", executions)
    if kept.logs:
        before = now - kept.logs
        await _walk(db, "logs of executions", logs)


async def prune_idempotency_keys(db: Database, *, now: datetime) -> int:
    """Forget answers that are given again no longer; how many those were."""

    async def batch() -> int:
        async with db.autocommit() as tx:
            return await tx.idempotency.prune(now - KEPT, limit=BATCH)

    return await _while_full(batch)


async def prune_deliveries(db: Database, *, before: datetime) -> int:
    """Forget deliveries that ended earlier; how many those were."""

    async def batch() -> int:
        async with db.autocommit() as tx:
            return await tx.webhooks.prune(before, limit=BATCH)

    return await _while_full(batch)


async def prune_events(db: Database, *, before: datetime) -> int:
    """
    Delete events older than *before*; how many those were.

    Of each user's log a beginning goes, and never anything from its middle: whoever resumes from
    what is gone is told so, and nobody is shown a gap.
    """
    pruned, users, last = 0, 0, NIL
    while True:
        async with db.autocommit() as tx:
            page_end, old = await tx.events.users_before(before, after=last, limit=BATCH)
        for start in range(0, len(old), USERS_BATCH):

            async def batch(chunk: Sequence[UUID] = old[start : start + USERS_BATCH]) -> int:
                async with db.autocommit() as tx:
                    return await tx.events.prune(chunk, before=before, limit=BATCH)

            pruned += await _while_full(batch)
        users += len(old)
        if page_end is None:
            break
        last = page_end
    if pruned:
        logger.info("%d events of %d users were older than is kept", pruned, users)
    return pruned


def _shortest(*kept: timedelta | None) -> timedelta | None:
    return min((k for k in kept if k is not None), default=None)


async def _while_full(batch: Callable[[], Awaitable[int]]) -> int:
    """Repeat what deletes up to BATCH rows until it found fewer; how many those were in all."""
    deleted = await batch()
    total = deleted
    while deleted == BATCH:
        deleted = await batch()
        total += deleted
    return total


async def _walk(
    db: Database, what: str, step: Callable[[Transaction, UUID], Awaitable[Pruned]]
) -> None:
    """Step by step to the end, each a transaction of its own: others come in between."""
    count, last = 0, NIL
    while True:
        async with db.autocommit() as tx:
            pruned = await step(tx, last)
        count += pruned.count
        if pruned.last is None:
            break
        last = pruned.last
    if count:
        logger.info("%d %s were older than is kept", count, what)
