"""Executions as they are read."""

from typing import LiteralString
from uuid import UUID

from psycopg import sql
from pydantic import TypeAdapter

from app.common.paging import Page, Paged
from app.domain.events import ExecutionLog
from app.domain.execution import ExecutionConfig
from app.domain.execution_errors import ExecutionNotFound, LogsExpired, TextNotFound
from app.domain.progress import ExecutionStatus, Progress
from app.domain.reports import (
    EventSpan,
    ExecutionFilters,
    ExecutionReport,
    ExecutionSummary,
    History,
    Load,
)
from app.domain.results import AgentResult
from app.domain.texts import TextField
from app.domain.timeline import Recorded
from app.domain.workflow import Plan
from app.infra.db.connection import Connection, Row
from app.infra.db.results import result_of

MAX_LOGS_IN_REPORT = 500
#: Bytes of a long text that are read at once.
TEXT_PIECE = 1024 * 1024

_config = TypeAdapter(ExecutionConfig)
_plan = TypeAdapter(Plan)
_results = TypeAdapter(tuple[AgentResult, ...])
_lines = TypeAdapter(tuple[ExecutionLog, ...])

_SUMMARY: LiteralString = """
    e.id, e.team_id, e.team_name, e.team_version, e.status, e.progress, e.created_at, e.started_at,
    e.completed_at, e.cancelled_at, e.deadline_at, e.estimated_completion, e.error_code,
    e.error_message, e.retry_of,
    CASE WHEN e.status = 'pending' THEN (
        SELECT count(*) FROM renum.executions o
         WHERE o.user_id = e.user_id AND o.status = 'pending' AND o.id <= e.id
    ) END AS queue_position
"""

#: Rows as JSON: to read so many of them takes less than half as long as one by one.
_REPORT: LiteralString = f"""
    SELECT {_SUMMARY}, e.input, e.config, e.seq,
           (SELECT json_agg(r ORDER BY r.position)::text FROM (
               SELECT *, CASE WHEN run_id IS NOT NULL THEN
                          json_build_object('thread_id', thread_id, 'run_id', run_id) END AS run
                 FROM renum.agent_results WHERE execution_id = e.id
           ) r) AS results,
           (SELECT coalesce(json_agg(l ORDER BY l.seq), '[]')::text FROM (
               SELECT * FROM renum.execution_logs WHERE execution_id = e.id
                ORDER BY seq DESC LIMIT %(lines)s
           ) l) AS logs
      FROM renum.executions e WHERE e.id = %(id)s AND e.user_id = %(user_id)s
"""

_PAST_RUNS: LiteralString = """
    SELECT extract(epoch FROM completed_at - started_at)::float8 AS seconds
      FROM renum.executions
     WHERE team_id = %(team_id)s AND status = 'completed'
       -- A retry took over results: it says nothing of a whole run.
       AND retry_of IS NULL
     ORDER BY id DESC LIMIT 20
"""


class ReportStore:
    """The `Reports` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def report(self, execution_id: UUID, *, user_id: UUID) -> ExecutionReport:
        cursor = await self._connection.execute(
            _REPORT, {"id": execution_id, "user_id": user_id, "lines": MAX_LOGS_IN_REPORT + 1}
        )
        row = await cursor.fetchone()
        if row is None:
            raise ExecutionNotFound(execution_id)
        given, config, results, lines = map(row.pop, ("input", "config", "results", "logs"))
        logs = _lines.validate_json(lines)
        return ExecutionReport(
            **_summary_values(row),
            prompt=given["prompt"],
            context=given["context"],
            config=_config.validate_python(config),
            results=_results.validate_json(results),
            logs=logs[-MAX_LOGS_IN_REPORT:],
            # The first line is written with the execution: where there is none, they are gone.
            logs_truncated=len(logs) > MAX_LOGS_IN_REPORT or not logs,
        )

    async def recorded(self, execution_id: UUID, *, user_id: UUID) -> Recorded:
        async with self._connection.pipeline():
            found = await self._connection.execute(
                """
                SELECT id, status, created_at, started_at, completed_at, plan
                  FROM renum.executions WHERE id = %s AND user_id = %s
                """,
                (execution_id, user_id),
            )
            results = await self._connection.execute(
                """
                SELECT r.*, NULL AS input, NULL AS output FROM (
                    SELECT execution_id, position, key, agent_id, agent_name, status, attempts,
                           run_key, thread_id, run_id, past_runs, attempt_at, due_at,
                           waiting_since, input_bytes, output_bytes, needs_input, usage,
                           error_code, error_message, started_at, completed_at, remote_stop,
                           reused, history
                      FROM renum.agent_results
                ) r WHERE execution_id = %s ORDER BY position
                """,
                (execution_id,),
            )
            row = await found.fetchone()
            if row is None:
                raise ExecutionNotFound(execution_id)
            return Recorded(
                **{
                    **row,
                    "status": ExecutionStatus(row["status"]),
                    "plan": _plan.validate_python(row["plan"]),
                },
                results=tuple(result_of(r) for r in await results.fetchall()),
            )

    async def logs(
        self, execution_id: UUID, *, user_id: UUID, after: int, limit: int
    ) -> list[ExecutionLog]:
        async with self._connection.pipeline():
            found = await self._connection.execute(
                """
                SELECT EXISTS (SELECT FROM renum.execution_logs WHERE execution_id = e.id) AS kept
                  FROM renum.executions e WHERE id = %s AND user_id = %s
                """,
                (execution_id, user_id),
            )
            lines = await self._connection.execute(
                """
                SELECT * FROM renum.execution_logs WHERE execution_id = %s AND seq > %s
                 ORDER BY seq LIMIT %s
                """,
                (execution_id, after, limit),
            )
            row = await found.fetchone()
            if row is None:
                raise ExecutionNotFound(execution_id)
            if not row["kept"]:
                raise LogsExpired(execution_id)
            return [ExecutionLog(**line) for line in await lines.fetchall()]

    async def unfinished(self) -> dict[ExecutionStatus, int]:
        cursor = await self._connection.execute(
            """
            SELECT count(*) FILTER (WHERE status = 'pending') AS pending,
                   count(*) FILTER (WHERE status = 'running') AS running
              FROM renum.executions WHERE status IN ('pending', 'running')
            """
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  an aggregate always has one row
        return {ExecutionStatus(name): n for name, n in row.items()}

    async def event_span(self, execution_id: UUID, *, user_id: UUID) -> EventSpan:
        cursor = await self._connection.execute(
            """
            SELECT first_event_id, last_event_id, status FROM renum.executions
             WHERE id = %s AND user_id = %s
            """,
            (execution_id, user_id),
        )
        row = await cursor.fetchone()
        if row is None:
            raise ExecutionNotFound(execution_id)
        return EventSpan(
            first_id=row["first_event_id"],
            last_id=row["last_event_id"],
            status=ExecutionStatus(row["status"]),
        )

    async def page(
        self, page: Page, *, user_id: UUID, filters: ExecutionFilters
    ) -> Paged[ExecutionSummary]:
        conditions = [sql.SQL("e.user_id = %(user_id)s")]
        if filters.team_id:
            conditions.append(sql.SQL("e.team_id = %(team_id)s"))
        if filters.statuses:
            conditions.append(sql.SQL("e.status = ANY(%(statuses)s)"))
        if filters.created_after:
            conditions.append(sql.SQL("e.created_at > %(created_after)s"))
        if filters.created_before:
            conditions.append(sql.SQL("e.created_at < %(created_before)s"))
        where = sql.SQL(" AND ").join(conditions)
        values = {
            "user_id": user_id,
            "team_id": filters.team_id,
            "statuses": [str(s) for s in filters.statuses],
            "created_after": filters.created_after,
            "created_before": filters.created_before,
            "limit": page.limit,
            "offset": page.offset,
        }
        async with self._connection.pipeline():
            rows = await self._connection.execute(
                sql.SQL(
                    f"""
                    SELECT {_SUMMARY} FROM renum.executions e WHERE {{where}}
                     ORDER BY e.id DESC LIMIT %(limit)s OFFSET %(offset)s
                    """
                ).format(where=where),
                values,
            )
            count = await self._connection.execute(
                sql.SQL("SELECT count(*) AS n FROM renum.executions e WHERE {where}").format(
                    where=where
                ),
                values,
            )
            items = tuple(ExecutionSummary(**_summary_values(row)) for row in await rows.fetchall())
            total = await count.fetchone()
        return Paged(items, total["n"] if total else 0)

    async def load(self, team_id: UUID, *, user_id: UUID) -> Load:
        cursor = await self._connection.execute(
            f"""
            SELECT (SELECT count(*) FROM renum.executions
                     WHERE user_id = %(user_id)s AND status = 'running') AS running,
                   (SELECT count(*) FROM renum.executions
                     WHERE user_id = %(user_id)s AND status = 'pending') AS queued,
                   (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)
                      FROM ({_PAST_RUNS}) AS past) AS typical_s
            """,
            {"team_id": team_id, "user_id": user_id},
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  a SELECT of values always has one row
        return Load(**row)

    async def history(self, team_id: UUID) -> History:
        cursor = await self._connection.execute(
            f"""
            SELECT count(*) AS samples,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_s,
                   percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds) AS p90_s
              FROM ({_PAST_RUNS}) AS past
            """,
            {"team_id": team_id},
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  an aggregate always has one row
        return History(**row)

    async def text_piece(
        self, execution_id: UUID, key: str, field: TextField, *, user_id: UUID, offset: int
    ) -> bytes:
        column = sql.Identifier(field.value)
        cursor = await self._connection.execute(
            sql.SQL(
                """
                SELECT r.{column} AS inline,
                       substring(t.body FROM %(start)s FOR %(length)s) AS piece
                  FROM renum.executions e
                  LEFT JOIN renum.agent_results r ON r.execution_id = e.id AND r.key = %(key)s
                  LEFT JOIN renum.texts t
                    ON t.execution_id = e.id AND t.key = r.key AND t.field = %(field)s
                 WHERE e.id = %(id)s AND e.user_id = %(user_id)s
                """
            ).format(column=column),
            {
                "id": execution_id,
                "user_id": user_id,
                "key": key,
                "field": field,
                "start": offset + 1,
                "length": TEXT_PIECE,
            },
        )
        row = await cursor.fetchone()
        if row is None:
            raise ExecutionNotFound(execution_id)
        if row["piece"] is not None:
            return bytes(row["piece"])
        if row["inline"] is None:
            raise TextNotFound(key, field)
        inline: str = row["inline"]
        return inline.encode()[offset:]


def _summary_values(row: Row) -> Row:
    return {
        **row,
        "status": ExecutionStatus(row["status"]),
        "progress": Progress(**row["progress"]),
    }
