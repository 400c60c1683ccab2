"""Who may have an agent at work at Suna: counted from the results, kept nowhere else."""

from collections.abc import Sequence
from uuid import UUID

from app.infra.db.connection import Connection
from app.infra.db.jobs import DRIVE
from app.usecases.limits import SunaLimit

# At Suna: an attempt that was begun and has not ended, or whose stop is not confirmed. In line:
# what was told to wait, and what asks now. Who has fewer agents there comes first, then who had
# no turn for longest; of one user, what waits longest.
# An execution that waits for a worker cannot take its turn, so it has no place meanwhile.
_IN_LINE = f"""
WITH steps AS (
    SELECT r.execution_id, r.key, e.user_id,
           CASE WHEN %(per_user)s THEN e.user_id END AS account,
           r.status = 'running' AND r.run_key IS NOT NULL OR r.remote_stop = 'pending' AS at_suna,
           r.execution_id = %(execution_id)s AND r.key = ANY(%(keys)s)
               OR r.waiting_since IS NOT NULL AND r.run_key IS NULL AND r.due_at IS NULL
                  AND NOT EXISTS (
                      SELECT FROM renum.procrastinate_jobs j
                       WHERE j.queueing_lock = '{DRIVE}:' || e.id AND j.status = 'todo'
                  ) AS waits,
           coalesce(r.waiting_since, now()) AS since
      FROM renum.agent_results r JOIN renum.executions e ON e.id = r.execution_id
     WHERE r.status = 'running' OR r.remote_stop = 'pending' OR r.waiting_since IS NOT NULL
        OR r.execution_id = %(execution_id)s
), counted AS (
    SELECT s.*, count(*) FILTER (WHERE at_suna) OVER (PARTITION BY user_id) AS of_user,
           count(*) FILTER (WHERE at_suna) OVER (PARTITION BY account) AS of_account
      FROM steps s
), line AS (
    SELECT w.execution_id, w.key, w.of_account,
           row_number() OVER (
               PARTITION BY w.account
               ORDER BY w.turn, h.suna_turn_at NULLS FIRST, w.since, w.execution_id, w.key
           ) AS place
      FROM renum.event_heads h JOIN (
        SELECT c.*, c.of_user + row_number() OVER (
                   PARTITION BY c.user_id ORDER BY c.since, c.execution_id, c.key
               ) AS turn
          FROM counted c WHERE c.waits AND NOT c.at_suna
      ) AS w USING (user_id)
)
SELECT execution_id, key FROM line WHERE place + of_account <= %(runs)s
"""


class CapacityStore:
    """The `Capacity` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def admit(
        self, limit: SunaLimit, execution_id: UUID, keys: Sequence[str], *, user_id: UUID
    ) -> set[str]:
        # Held to the commit: two that ask at once must see each other's beginnings.
        await self._connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            (f"renum suna {user_id if limit.per_user else ''}",),
        )
        line = await self._in_line(limit, execution_id, keys)
        admitted = {key for other, key in line if other == execution_id and key in keys}
        if admitted:
            await self._connection.execute(
                "UPDATE renum.event_heads SET suna_turn_at = clock_timestamp() WHERE user_id = %s",
                (user_id,),
            )
        return admitted

    async def next_in_line(self, limit: SunaLimit) -> set[UUID]:
        return {execution_id for execution_id, _ in await self._in_line(limit, None, ())}

    async def _in_line(
        self, limit: SunaLimit, execution_id: UUID | None, keys: Sequence[str]
    ) -> list[tuple[UUID, str]]:
        cursor = await self._connection.execute(
            _IN_LINE,
            {
                "runs": limit.runs,
                "per_user": limit.per_user,
                "execution_id": execution_id,
                "keys": list(keys),
            },
        )
        return [(row["execution_id"], row["key"]) for row in await cursor.fetchall()]
