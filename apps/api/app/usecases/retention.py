"""What is kept, and for how long."""

import logging
from datetime import datetime, timedelta

from app.domain.idempotency import KEPT
from app.usecases.ports import Database

logger = logging.getLogger(__name__)

#: Rows that go in one statement: their locks are held for milliseconds.
BATCH = 2_000
#: The delivery log of webhooks.
DELIVERIES_KEPT = timedelta(days=30)


async def prune_idempotency_keys(db: Database, *, now: datetime) -> int:
    """Forget answers that are given again no longer; how many those were."""
    async with db.reading() as tx:
        return await tx.idempotency.prune(now - KEPT)


async def prune_deliveries(db: Database, *, now: datetime) -> int:
    """Forget deliveries that ended over 30 days ago; how many those were."""
    pruned, more = 0, True
    while more:
        async with db.reading() as tx:
            deleted = await tx.webhooks.prune(now - DELIVERIES_KEPT, limit=BATCH)
        pruned += deleted
        more = deleted == BATCH
    return pruned


async def prune_events(db: Database, *, before: datetime) -> int:
    """
    Delete events older than *before*; how many those were.

    Of each user's log a beginning goes, and never anything from its middle: whoever resumes from
    what is gone is told so, and nobody is shown a gap.
    """
    async with db.reading() as tx:
        users = await tx.events.users_before(before)
    pruned = 0
    for user_id in users:
        more = True
        while more:
            async with db.reading() as tx:
                deleted = await tx.events.prune(user_id, before=before, limit=BATCH)
            pruned += deleted
            more = deleted == BATCH
    if pruned:
        logger.info("%d events of %d users were older than is kept", pruned, len(users))
    return pruned
