"""What a restored database needs before anybody uses it."""

import logging

from app.usecases.ports import Database

logger = logging.getLogger(__name__)

#: More events than a user ever had between a backup and the loss of what came after it; small
#: enough that JavaScript counts exactly for millions of restores.
SKIPPED_IDS = 1_000_000_000


async def restart_event_logs(db: Database) -> int:
    """
    Make sure that no event id means two things; the id after which all logs go on.

    Clients know ids from after the backup. Were they given again, such a client would take the
    new events for ones that it has, and show a gap to nobody. So every id that a client may know
    now lies before the log, of which it is told (ResyncRequired).
    """
    async with db.transaction() as tx:
        floor = await tx.events.restart_all(skip=SKIPPED_IDS)
    logger.warning("a backup was restored: all event logs go on after id %d", floor)
    return floor
