"""Executions, their results and logs; every write of the engine is fenced."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from app.domain.agents import RunRef
from app.domain.deliveries import ending
from app.domain.events import ExecutionLog
from app.domain.execution import Changes, Execution, ExecutionConfig
from app.domain.execution_errors import ExecutionNotFound
from app.domain.journal import Journal
from app.domain.progress import ExecutionStatus
from app.domain.results import AgentResult, Attachment, RemoteStop
from app.domain.texts import TextField
from app.domain.workflow import Plan
from app.infra.db.connection import Connection, Row
from app.infra.db.events import EventStore
from app.infra.db.notifications import NotificationStore
from app.infra.db.results import SAVE_RESULT, result_of, result_values
from app.infra.db.texts import copy_reused_texts, read_texts, save_texts
from app.infra.db.webhooks import WebhookStore
from app.usecases.ports import RemoteStops

_plan = TypeAdapter(Plan)
_config = TypeAdapter(ExecutionConfig)

_SAVE = """
WITH saved AS (
    UPDATE renum.executions
       SET status = %(status)s, progress = %(progress)s, started_at = %(started_at)s,
           deadline_at = %(deadline_at)s, estimated_completion = %(estimated_completion)s,
           completed_at = %(completed_at)s, cancelled_at = %(cancelled_at)s,
           error_code = %(error_code)s, error_message = %(error_message)s, seq = %(seq)s,
           claims = 0, fence = fence + %(raised)s,
           last_event_id = CASE WHEN %(final)s THEN coalesce(last_event_id, (
               SELECT h.last_id FROM renum.event_heads h WHERE h.user_id = executions.user_id
           )) END
     WHERE id = %(id)s AND fence = %(fence)s
    RETURNING 1
)
SELECT CASE WHEN EXISTS (SELECT FROM saved) THEN 1 ELSE renum.fenced() END
"""


class ExecutionStore:
    """The `Executions` port."""

    def __init__(self, connection: Connection, events: EventStore) -> None:
        self._connection = connection
        self._events = events

    # --- for changes ------------------------------------------------------------------------

    async def add(self, execution: Execution) -> None:
        changes = execution.collect()
        await self._events.append(execution.user_id, changes.events)
        await self._connection.execute(
            """
            INSERT INTO renum.executions (id, user_id, team_id, team_name, status, input, config,
                plan, progress, created_at, started_at, deadline_at, estimated_completion, seq,
                retry_of, team_version, trace_context, first_event_id)
            VALUES (%(id)s, %(user_id)s, %(team_id)s, %(team_name)s, %(status)s, %(input)s,
                %(config)s, %(plan)s, %(progress)s, %(created_at)s, %(started_at)s,
                %(deadline_at)s, %(estimated_completion)s, %(seq)s, %(retry_of)s,
                %(team_version)s, %(trace_context)s,
                (SELECT last_id - %(events)s + 1 FROM renum.event_heads
                  WHERE user_id = %(user_id)s))
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
                "retry_of": execution.retry_of,
                "team_version": execution.team_version,
                "trace_context": Jsonb(execution.trace_context)
                if execution.trace_context
                else None,
                "events": len(changes.events),
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
        for result in changes.results:
            if result.reused:
                await self._connection.execute(SAVE_RESULT, result_values(execution.id, result))
        if execution.retry_of is not None:
            await copy_reused_texts(self._connection, execution.id, of=execution.retry_of)
        await self._write_story(execution, changes)

    async def claim(self, execution_id: UUID) -> Execution | None:
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
        await self._events.append(execution.user_id, changes.events)
        await self._connection.execute(
            _SAVE, {**_values(execution), "fence": execution.fence, "raised": int(supersede)}
        )
        for result in changes.results:
            await self._connection.execute(SAVE_RESULT, result_values(execution.id, result))
        await save_texts(self._connection, execution.id, changes.texts)
        await self._write_story(execution, changes)

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

    async def _whole(self, row: Row) -> Execution:
        results = await (await self._results(row["id"])).fetchall()
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

    async def _results(self, execution_id: UUID) -> AsyncCursor[Row]:
        return await self._connection.execute(
            "SELECT * FROM renum.agent_results WHERE execution_id = %s ORDER BY position",
            (execution_id,),
        )

    async def _number(self, query: LiteralString, id_: UUID) -> int:
        row = await (await self._connection.execute(query, (id_,))).fetchone()
        return int(row["n"]) if row else 0

    async def _write_story(self, execution: Execution, changes: Changes) -> None:
        """Log lines, notifications and what webhooks are told; the events are written by then."""
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
                    execution.id,
                    [line.seq for line in logs],
                    [line.timestamp for line in logs],
                    [line.level for line in logs],
                    [line.message for line in logs],
                    [line.agent_id for line in logs],
                ),
            )
        for notification in changes.notifications:
            await NotificationStore(self._connection).add(notification)
            await WebhookStore(self._connection).announce(
                execution.user_id, ending(execution, notification)
            )


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
        "final": execution.status.is_final,
    }
