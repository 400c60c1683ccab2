"""Executions, their results and logs; every write of the engine is fenced."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.errors import UniqueViolation
from pydantic import TypeAdapter
from pydantic_core import to_json

from app.domain.agents import RunRef
from app.domain.deliveries import ending
from app.domain.execution import Execution, ExecutionConfig
from app.domain.execution_errors import ExecutionNotFound
from app.domain.journal import Journal
from app.domain.progress import ExecutionStatus
from app.domain.results import AgentResult, Attachment, RemoteStop
from app.domain.texts import TextField
from app.domain.workflow import Plan
from app.infra.db import webhooks
from app.infra.db.connection import Connection, Row
from app.infra.db.events import EventStore
from app.infra.db.results import result_of, rows_of
from app.infra.db.texts import columns_of, copy_reused_texts, read_texts
from app.infra.db.transitions import ADD, END, SAVE, changing
from app.usecases.ports import RemoteStops

_plan = TypeAdapter(Plan)
_config = TypeAdapter(ExecutionConfig)


class ExecutionStore:
    """The `Executions` port."""

    def __init__(self, connection: Connection, events: EventStore) -> None:
        self._connection = connection
        self._events = events

    # --- for changes ------------------------------------------------------------------------

    async def add(self, execution: Execution) -> None:
        changes = execution.collect()
        given = {
            **changing(execution),
            "id": execution.id,
            "user_id": execution.user_id,
            "team_id": execution.team_id,
            "team_name": execution.team_name,
            "input": {"prompt": execution.prompt, "context": execution.context},
            "config": execution.config,
            "plan": execution.plan,
            "created_at": execution.created_at,
            "retry_of": execution.retry_of,
            "team_version": execution.team_version,
            "trace_context": execution.trace_context or None,
        }
        await self._connection.execute(
            ADD,
            {
                **self._events.telling(execution.user_id, changes.events),
                "execution": to_json(given).decode(),
                "results": rows_of(execution.id, changes.results),
            },
        )
        if execution.retry_of is not None:
            await copy_reused_texts(self._connection, execution.id, of=execution.retry_of)

    async def claim(self, execution_id: UUID) -> Execution | None:
        # One round trip, and by itself one transaction: what is read is read after the fence was
        # raised, so nobody changes it any more.
        async with self._connection.pipeline():
            cursor = await self._connection.execute(
                """
                UPDATE renum.executions
                   SET fence = fence + 1, claimed_at = now(),
                       -- Who held it for long was no victim of it. Longer than the queue waits
                       -- between two tries of a job that fails.
                       claims = CASE WHEN claimed_at < now() - interval '5 minutes' THEN 1
                                ELSE claims + 1 END
                 WHERE id = %s AND status = 'running' RETURNING *
                """,
                (execution_id,),
            )
            results = await self._results(execution_id)
            row = await cursor.fetchone()
            return _whole(row, await results.fetchall()) if row else None

    async def load(self, execution_id: UUID, *, user_id: UUID) -> Execution:
        cursor = await self._connection.execute(
            "SELECT * FROM renum.executions WHERE id = %s AND user_id = %s FOR UPDATE",
            (execution_id, user_id),
        )
        row = await cursor.fetchone()
        if row is None:
            raise ExecutionNotFound(execution_id)
        return await self._with_results(row)

    async def next_pending(self, user_id: UUID) -> Execution | None:
        cursor = await self._connection.execute(
            """
            SELECT * FROM renum.executions WHERE user_id = %s AND status = 'pending'
             ORDER BY id LIMIT 1 FOR UPDATE
            """,
            (user_id,),
        )
        row = await cursor.fetchone()
        return await self._with_results(row) if row else None

    async def save(self, execution: Execution, *, supersede: bool = False) -> None:
        changes = execution.collect()
        given = {
            **self._events.telling(execution.user_id, changes.events),
            "id": execution.id,
            "fence": execution.fence,
            "raised": int(supersede),
            "execution": to_json(changing(execution)).decode(),
            "results": rows_of(execution.id, changes.results),
            **columns_of(changes.texts),
        }
        if execution.status.is_final:
            messages = [ending(execution, notification) for notification in changes.notifications]
            given["notifications"] = to_json(changes.notifications).decode()
            given["messages"] = webhooks.rows_of(messages)
        await self._connection.execute(END if execution.status.is_final else SAVE, given)

    async def require_fence(self, execution: Execution) -> None:
        await self._connection.execute(
            """
            SELECT CASE WHEN EXISTS (
                SELECT FROM renum.executions WHERE id = %s AND fence = %s
            ) THEN 1 ELSE renum.fenced() END
            """,
            (execution.id, execution.fence),
        )

    async def attach(self, execution_id: UUID, result: AgentResult, run: RunRef) -> Attachment:
        try:
            cursor = await self._connection.execute(
                """
                UPDATE renum.agent_results SET thread_id = %s, run_id = %s
                 WHERE execution_id = %s AND key = %s AND run_key = %s
                   AND (run_id IS NULL OR run_id = %s) AND %s <> ALL (past_runs)
                """,
                (
                    *(run.thread_id, run.run_id),
                    *(execution_id, result.key, result.run_key),
                    *(run.run_id, run.run_id),
                ),
            )
        except UniqueViolation:
            return Attachment.TAKEN
        if cursor.rowcount == 1:
            return Attachment.OURS
        return Attachment.TAKEN if run.run_id in result.past_runs else Attachment.SUPERSEDED

    async def stops(self, execution_id: UUID) -> RemoteStops | None:
        cursor = await self._connection.execute(
            """
            SELECT r.*, e.user_id, e.trace_context FROM renum.agent_results r
              JOIN renum.executions e ON e.id = r.execution_id
             WHERE r.execution_id = %s AND r.remote_stop = 'pending' ORDER BY r.position
            """,
            (execution_id,),
        )
        rows = await cursor.fetchall()
        if not rows:
            return None
        return RemoteStops(
            rows[0]["user_id"], rows[0]["trace_context"], tuple(result_of(row) for row in rows)
        )

    async def set_remote_stop(self, execution_id: UUID, key: str, state: RemoteStop) -> None:
        await self._connection.execute(
            "UPDATE renum.agent_results SET remote_stop = %s WHERE execution_id = %s AND key = %s",
            (state, execution_id, key),
        )

    async def texts(
        self, execution_id: UUID, field: TextField, keys: Sequence[str]
    ) -> dict[str, str]:
        return await read_texts(self._connection, execution_id, field, keys)

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

    # --- parts ------------------------------------------------------------------------------

    async def _with_results(self, row: Row) -> Execution:
        return _whole(row, await (await self._results(row["id"])).fetchall())

    async def _results(self, execution_id: UUID) -> AsyncCursor[Row]:
        return await self._connection.execute(
            "SELECT * FROM renum.agent_results WHERE execution_id = %s ORDER BY position",
            (execution_id,),
        )

    async def _number(self, query: LiteralString, id_: UUID) -> int:
        row = await (await self._connection.execute(query, (id_,))).fetchone()
        return int(row["n"]) if row else 0


def _whole(row: Row, results: Sequence[Row]) -> Execution:
    return Execution(
        id=row["id"],
        user_id=row["user_id"],
        team_id=row["team_id"],
        team_name=row["team_name"],
        team_version=row["team_version"],
        plan=_plan.validate_python(row["plan"]),
        prompt=row["input"]["prompt"],
        context=row["input"]["context"],
        config=_config.validate_python(row["config"]),
        status=ExecutionStatus(row["status"]),
        results={r["key"]: result_of(r) for r in results},
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
        retry_of=row["retry_of"],
        trace_context=row["trace_context"],
        journal=Journal(row["id"], row["team_id"], row["seq"]),
    )
