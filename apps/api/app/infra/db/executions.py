"""Executions, their results and logs; every write of the engine is fenced."""

from typing import LiteralString
from uuid import UUID

from psycopg import AsyncCursor, sql
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from app.common.paging import Page, Paged
from app.domain.agents import RunRef
from app.domain.events import ExecutionLog, Progress
from app.domain.execution import (
    Changes,
    Execution,
    ExecutionConfig,
    ExecutionNotFound,
    ExecutionStatus,
)
from app.domain.journal import Journal
from app.domain.reports import ExecutionFilters, ExecutionReport, ExecutionSummary
from app.domain.results import AgentResult, AgentStatus, RemoteStop
from app.domain.workflow import Plan
from app.infra.db.connection import Connection, Row
from app.infra.db.events import EventStore
from app.infra.db.notifications import NotificationStore

MAX_LOGS_IN_REPORT = 500

_plan = TypeAdapter(Plan)
_config = TypeAdapter(ExecutionConfig)

_SAVE = """
WITH saved AS (
    UPDATE renum.executions
       SET status = %(status)s, progress = %(progress)s, started_at = %(started_at)s,
           deadline_at = %(deadline_at)s, estimated_completion = %(estimated_completion)s,
           completed_at = %(completed_at)s, cancelled_at = %(cancelled_at)s,
           error_code = %(error_code)s, error_message = %(error_message)s, seq = %(seq)s,
           claims = 0, fence = fence + %(raised)s
     WHERE id = %(id)s AND fence = %(fence)s
    RETURNING 1
)
SELECT CASE WHEN EXISTS (SELECT FROM saved) THEN 1 ELSE renum.fenced() END
"""

_SAVE_RESULT = """
UPDATE renum.agent_results
   SET status = %(status)s, attempts = %(attempts)s, run_key = %(run_key)s,
       thread_id = %(thread_id)s, run_id = %(run_id)s, attempt_at = %(attempt_at)s,
       due_at = %(due_at)s, input = %(input)s, output = %(output)s,
       needs_input = %(needs_input)s, usage = %(usage)s, error_code = %(error_code)s,
       error_message = %(error_message)s, started_at = %(started_at)s,
       completed_at = %(completed_at)s, remote_stop = %(remote_stop)s
 WHERE execution_id = %(execution_id)s AND key = %(key)s
"""

_SUMMARY: LiteralString = """
    e.id, e.team_id, e.team_name, e.status, e.progress, e.created_at, e.started_at,
    e.completed_at, e.cancelled_at, e.deadline_at, e.estimated_completion, e.error_code,
    e.error_message,
    CASE WHEN e.status = 'pending' THEN (
        SELECT count(*) FROM renum.executions o
         WHERE o.user_id = e.user_id AND o.status = 'pending' AND o.id <= e.id
    ) END AS queue_position
"""


class ExecutionStore:
    """The `Executions` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # --- for changes ------------------------------------------------------------------------

    async def add(self, execution: Execution) -> None:
        changes = execution.collect()
        await EventStore(self._connection).append(execution.user_id, changes.events)
        await self._connection.execute(
            """
            INSERT INTO renum.executions (id, user_id, team_id, team_name, status, input, config,
                plan, progress, created_at, started_at, deadline_at, estimated_completion, seq)
            VALUES (%(id)s, %(user_id)s, %(team_id)s, %(team_name)s, %(status)s, %(input)s,
                %(config)s, %(plan)s, %(progress)s, %(created_at)s, %(started_at)s,
                %(deadline_at)s, %(estimated_completion)s, %(seq)s)
            """,
            {
                **_values(execution),
                "user_id": execution.user_id,
                "team_id": execution.team_id,
                "team_name": execution.team_name,
                "input": Jsonb({"prompt": execution.prompt, "context": execution.context}),
                "config": Jsonb(execution.config),
                "plan": Jsonb(execution.plan),
                "created_at": execution.created_at,
            },
        )
        await self._connection.execute(
            """
            INSERT INTO renum.agent_results (execution_id, key, position, agent_id, agent_name,
                                             status, attempts, needs_input, remote_stop)
            SELECT %s, r.*, 'pending', 0, false, 'not_needed'
              FROM unnest(%s::text[], %s::smallint[], %s::uuid[], %s::text[]) AS r
            """,
            (
                execution.id,
                [s.key for s in execution.plan.steps],
                list(range(len(execution.plan.steps))),
                [s.agent_id for s in execution.plan.steps],
                [s.agent_name for s in execution.plan.steps],
            ),
        )
        await self._write_story(execution.id, changes)

    async def claim(self, execution_id: UUID) -> Execution | None:
        cursor = await self._connection.execute(
            """
            UPDATE renum.executions SET fence = fence + 1, claims = claims + 1
             WHERE id = %s AND status = 'running' RETURNING *
            """,
            (execution_id,),
        )
        row = await cursor.fetchone()
        return await self._whole(row) if row else None

    async def load(self, execution_id: UUID, *, user_id: UUID) -> Execution:
        cursor = await self._connection.execute(
            "SELECT * FROM renum.executions WHERE id = %s AND user_id = %s FOR UPDATE",
            (execution_id, user_id),
        )
        row = await cursor.fetchone()
        if row is None:
            raise ExecutionNotFound(execution_id)
        return await self._whole(row)

    async def next_pending(self, user_id: UUID) -> Execution | None:
        cursor = await self._connection.execute(
            """
            SELECT * FROM renum.executions WHERE user_id = %s AND status = 'pending'
             ORDER BY id LIMIT 1 FOR UPDATE
            """,
            (user_id,),
        )
        row = await cursor.fetchone()
        return await self._whole(row) if row else None

    async def save(self, execution: Execution, *, supersede: bool = False) -> None:
        changes = execution.collect()
        # Events first: their statement takes the user's lock, before any other row's. Then the
        # fence: who does not hold it fails here, before anything of it can collide.
        await EventStore(self._connection).append(execution.user_id, changes.events)
        await self._connection.execute(
            _SAVE, {**_values(execution), "fence": execution.fence, "raised": int(supersede)}
        )
        for result in changes.results:
            await self._connection.execute(_SAVE_RESULT, _result_values(execution.id, result))
        await self._write_story(execution.id, changes)

    async def attach(self, execution_id: UUID, result: AgentResult) -> None:
        run = result.run
        await self._connection.execute(
            """
            UPDATE renum.agent_results SET thread_id = %s, run_id = %s
             WHERE execution_id = %s AND key = %s AND run_key = %s
            """,
            (
                run.thread_id if run else None,
                run.run_id if run else None,
                execution_id,
                result.key,
                result.run_key,
            ),
        )

    async def stops(self, execution_id: UUID) -> list[AgentResult]:
        cursor = await self._connection.execute(
            """
            SELECT * FROM renum.agent_results
             WHERE execution_id = %s AND remote_stop = 'pending' ORDER BY position
            """,
            (execution_id,),
        )
        return [_result(row) for row in await cursor.fetchall()]

    async def set_remote_stop(self, execution_id: UUID, key: str, state: RemoteStop) -> None:
        await self._connection.execute(
            "UPDATE renum.agent_results SET remote_stop = %s WHERE execution_id = %s AND key = %s",
            (state, execution_id, key),
        )

    # --- counting ---------------------------------------------------------------------------

    async def unfinished(self, user_id: UUID) -> tuple[int, int]:
        cursor = await self._connection.execute(
            """
            SELECT count(*) FILTER (WHERE status = 'running') AS running,
                   count(*) FILTER (WHERE status = 'pending') AS pending
              FROM renum.executions WHERE user_id = %s AND status IN ('pending', 'running')
            """,
            (user_id,),
        )
        row = await cursor.fetchone()
        return (row["running"], row["pending"]) if row else (0, 0)

    async def unfinished_of_team(self, team_id: UUID) -> int:
        return await self._number(
            """
            SELECT count(*) AS n FROM renum.executions
             WHERE team_id = %s AND status IN ('pending', 'running')
            """,
            team_id,
        )

    async def typical_s(self, team_id: UUID) -> float | None:
        cursor = await self._connection.execute(
            """
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median FROM (
                SELECT extract(epoch FROM completed_at - started_at) AS seconds
                  FROM renum.executions WHERE team_id = %s AND status = 'completed'
                 ORDER BY id DESC LIMIT 20
            ) AS past
            """,
            (team_id,),
        )
        row = await cursor.fetchone()
        return row["median"] if row else None

    # --- for reading ------------------------------------------------------------------------

    async def report(self, execution_id: UUID, *, user_id: UUID) -> ExecutionReport:
        async with self._connection.pipeline():
            found = await self._connection.execute(
                f"""
                SELECT {_SUMMARY}, e.input, e.config, e.seq FROM renum.executions e
                 WHERE e.id = %s AND e.user_id = %s
                """,
                (execution_id, user_id),
            )
            results = await self._results(execution_id)
            logs = await self._connection.execute(
                """
                SELECT * FROM renum.execution_logs WHERE execution_id = %s
                 ORDER BY seq DESC LIMIT %s
                """,
                (execution_id, MAX_LOGS_IN_REPORT + 1),
            )
            row = await found.fetchone()
            if row is None:
                raise ExecutionNotFound(execution_id)
            lines = [_log(line) for line in await logs.fetchall()]
            given = row.pop("input")
            return ExecutionReport(
                **_summary_values({k: v for k, v in row.items() if k not in ("config", "seq")}),
                prompt=given["prompt"],
                context=given["context"],
                config=_config.validate_python(row["config"]),
                results=tuple(_result(r) for r in await results.fetchall()),
                logs=tuple(reversed(lines[:MAX_LOGS_IN_REPORT])),
                logs_truncated=len(lines) > MAX_LOGS_IN_REPORT,
                seq=row["seq"],
            )

    async def logs(
        self, execution_id: UUID, *, user_id: UUID, after: int, limit: int
    ) -> list[ExecutionLog]:
        async with self._connection.pipeline():
            found = await self._connection.execute(
                "SELECT FROM renum.executions WHERE id = %s AND user_id = %s",
                (execution_id, user_id),
            )
            lines = await self._connection.execute(
                """
                SELECT * FROM renum.execution_logs WHERE execution_id = %s AND seq > %s
                 ORDER BY seq LIMIT %s
                """,
                (execution_id, after, limit),
            )
            if await found.fetchone() is None:
                raise ExecutionNotFound(execution_id)
            return [_log(line) for line in await lines.fetchall()]

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

    # --- parts ------------------------------------------------------------------------------

    async def _whole(self, row: Row) -> Execution:
        results = await (await self._results(row["id"])).fetchall()
        return Execution(
            id=row["id"],
            user_id=row["user_id"],
            team_id=row["team_id"],
            team_name=row["team_name"],
            plan=_plan.validate_python(row["plan"]),
            prompt=row["input"]["prompt"],
            context=row["input"]["context"],
            config=_config.validate_python(row["config"]),
            status=ExecutionStatus(row["status"]),
            results={r["key"]: _result(r) for r in results},
            created_at=row["created_at"],
            started_at=row["started_at"],
            deadline_at=row["deadline_at"],
            estimated_completion=row["estimated_completion"],
            completed_at=row["completed_at"],
            cancelled_at=row["cancelled_at"],
            error_code=row["error_code"],
            error_message=row["error_message"],
            fence=row["fence"],
            claims=row["claims"],
            journal=Journal(row["id"], row["team_id"], row["seq"]),
        )

    async def _results(self, execution_id: UUID) -> AsyncCursor[Row]:
        return await self._connection.execute(
            "SELECT * FROM renum.agent_results WHERE execution_id = %s ORDER BY position",
            (execution_id,),
        )

    async def _number(self, query: LiteralString, id_: UUID) -> int:
        row = await (await self._connection.execute(query, (id_,))).fetchone()
        return int(row["n"]) if row else 0

    async def _write_story(self, execution_id: UUID, changes: Changes) -> None:
        """Log lines and notifications; the events that tell of them are written by then."""
        logs = [e for e in changes.events if isinstance(e, ExecutionLog)]
        if logs:
            await self._connection.execute(
                """
                INSERT INTO renum.execution_logs
                       (execution_id, seq, timestamp, level, message, agent_id)
                SELECT %s, l.* FROM unnest(%s::int[], %s::timestamptz[], %s::text[], %s::text[],
                                           %s::uuid[]) AS l
                """,
                (
                    execution_id,
                    [line.seq for line in logs],
                    [line.timestamp for line in logs],
                    [line.level for line in logs],
                    [line.message for line in logs],
                    [line.agent_id for line in logs],
                ),
            )
        for notification in changes.notifications:
            await NotificationStore(self._connection).add(notification)


def _values(execution: Execution) -> Row:
    return {
        "id": execution.id,
        "status": execution.status,
        "progress": Jsonb(execution.progress),
        "started_at": execution.started_at,
        "deadline_at": execution.deadline_at,
        "estimated_completion": execution.estimated_completion,
        "completed_at": execution.completed_at,
        "cancelled_at": execution.cancelled_at,
        "error_code": execution.error_code,
        "error_message": execution.error_message,
        "seq": execution.seq,
    }


def _result_values(execution_id: UUID, result: AgentResult) -> Row:
    return {
        "execution_id": execution_id,
        "key": result.key,
        "status": result.status,
        "attempts": result.attempts,
        "run_key": result.run_key,
        "thread_id": result.run.thread_id if result.run else None,
        "run_id": result.run.run_id if result.run else None,
        "attempt_at": result.attempt_at,
        "due_at": result.due_at,
        "input": result.input,
        "output": result.output,
        "needs_input": result.needs_input,
        "usage": Jsonb(result.usage) if result.usage is not None else None,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "started_at": result.started_at,
        "completed_at": result.completed_at,
        "remote_stop": result.remote_stop,
    }


def _result(row: Row) -> AgentResult:
    run = RunRef(row["thread_id"], row["run_id"]) if row["run_id"] else None
    return AgentResult(
        key=row["key"],
        agent_id=row["agent_id"],
        agent_name=row["agent_name"],
        status=AgentStatus(row["status"]),
        attempts=row["attempts"],
        run_key=row["run_key"],
        run=run,
        attempt_at=row["attempt_at"],
        due_at=row["due_at"],
        input=row["input"],
        output=row["output"],
        needs_input=row["needs_input"],
        usage=row["usage"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        remote_stop=RemoteStop(row["remote_stop"]),
    )


def _log(row: Row) -> ExecutionLog:
    return ExecutionLog(**row)


def _summary_values(row: Row) -> Row:
    return {
        **row,
        "status": ExecutionStatus(row["status"]),
        "progress": Progress(**row["progress"]),
    }
