"""
Deletes what is kept no longer.

Nothing is searched by time: the keys of these tables are UUIDv7, so what is old enough stands at
the beginning of the primary key. An id only limits the search; the times in the row decide.
"""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from app.common.ids import first_id_at
from app.infra.db.connection import Connection
from app.usecases.ports import Pruned

_ENDED: LiteralString = """
    e.status IN ('completed', 'failed', 'cancelled')
    AND coalesce(e.completed_at, e.cancelled_at) < %(before)s
"""

# Results, texts and log lines go with their execution, by their foreign keys.
_EXECUTIONS: LiteralString = f"""
WITH seen AS (
    SELECT id FROM renum.executions WHERE id > %(after)s AND id < %(bound)s
     ORDER BY id LIMIT %(limit)s
), old AS (
    SELECT e.id FROM renum.executions e JOIN seen USING (id)
     WHERE {_ENDED}
       AND NOT EXISTS (SELECT FROM renum.agent_results r
                        WHERE r.execution_id = e.id AND r.remote_stop = 'pending')
       FOR UPDATE OF e SKIP LOCKED
), gone AS (
    DELETE FROM renum.executions WHERE id IN (SELECT id FROM old) RETURNING 1
)
"""

# From one execution to the next by the primary key, whose first column is theirs: lines are not
# read, nor executions that have none any more.
_LOGS: LiteralString = f"""
WITH RECURSIVE logged (id) AS (
    (SELECT execution_id FROM renum.execution_logs
      WHERE execution_id > %(after)s AND execution_id < %(bound)s ORDER BY execution_id LIMIT 1)
    UNION ALL
    SELECT (SELECT l.execution_id FROM renum.execution_logs l
             WHERE l.execution_id > logged.id AND l.execution_id < %(bound)s
             ORDER BY l.execution_id LIMIT 1)
      FROM logged WHERE logged.id IS NOT NULL
), seen AS MATERIALIZED (
    SELECT id FROM logged WHERE id IS NOT NULL LIMIT %(limit)s
), old AS (
    SELECT e.id FROM renum.executions e JOIN seen USING (id) WHERE {_ENDED}
), lines AS (
    DELETE FROM renum.execution_logs WHERE execution_id IN (SELECT id FROM old)
    RETURNING execution_id
), gone AS (
    SELECT DISTINCT execution_id FROM lines
)
"""

_NOTIFICATIONS: LiteralString = """
WITH seen AS (
    SELECT id FROM renum.notifications WHERE id > %(after)s AND id < %(bound)s
     ORDER BY id LIMIT %(limit)s
), old AS (
    SELECT n.id FROM renum.notifications n JOIN seen USING (id)
     WHERE n.created_at < %(before)s FOR UPDATE OF n SKIP LOCKED
), gone AS (
    DELETE FROM renum.notifications WHERE id IN (SELECT id FROM old) RETURNING 1
)
"""

_RESULT: LiteralString = """
SELECT (SELECT count(*) FROM gone) AS n, (SELECT id FROM seen ORDER BY id DESC LIMIT 1) AS last
"""


class RetentionStore:
    """The `Retention` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def prune_executions(self, before: datetime, *, after: UUID, limit: int) -> Pruned:
        return await self._prune(_EXECUTIONS, before, after, limit)

    async def prune_logs(self, before: datetime, *, after: UUID, limit: int) -> Pruned:
        return await self._prune(_LOGS, before, after, limit)

    async def prune_notifications(self, before: datetime, *, after: UUID, limit: int) -> Pruned:
        return await self._prune(_NOTIFICATIONS, before, after, limit)

    async def _prune(
        self, what: LiteralString, before: datetime, after: UUID, limit: int
    ) -> Pruned:
        cursor = await self._connection.execute(
            what + _RESULT,
            {"before": before, "bound": first_id_at(before), "after": after, "limit": limit},
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  it has no FROM
        return Pruned(row["n"], row["last"])
