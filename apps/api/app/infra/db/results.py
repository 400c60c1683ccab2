"""The row of an agent's result."""

from collections.abc import Iterable
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_json

from app.domain.agents import RunRef
from app.domain.history import History
from app.domain.results import AgentResult, AgentStatus, RemoteStop
from app.infra.db.connection import Row

_history = TypeAdapter(History)

_CHANGING = (
    "status, attempts, run_key, past_runs, thread_id, run_id, attempt_at, due_at, waiting_since, "
    "input, input_bytes, output, output_bytes, reused, needs_input, usage, error_code, "
    "error_message, started_at, completed_at, remote_stop, history"
)
_GIVEN = "json_populate_recordset(NULL::renum.agent_results, %(results)s::json) AS given"
#: Both take `results`, which `rows_of` makes, and SAVE_RESULTS the execution's `id`.
ADD_RESULTS = f"""
INSERT INTO renum.agent_results (execution_id, key, position, agent_id, agent_name, {_CHANGING})
SELECT execution_id, key, position, agent_id, agent_name, {_CHANGING} FROM {_GIVEN}
"""
SAVE_RESULTS = f"""
UPDATE renum.agent_results AS r
   SET ({_CHANGING}) = ROW ({", ".join(f"given.{name}" for name in _CHANGING.split(", "))})
  FROM {_GIVEN}
 WHERE r.execution_id = %(id)s AND r.key = given.key
"""


def rows_of(execution_id: UUID, results: Iterable[AgentResult]) -> str:
    """As JSON; positions are those among what is given, and count when they are added."""
    rows = [{"position": i, **_row(execution_id, r)} for i, r in enumerate(results)]
    return to_json(rows).decode()


def _row(execution_id: UUID, result: AgentResult) -> Row:
    return {
        "execution_id": execution_id,
        "key": result.key,
        "agent_id": result.agent_id,
        "agent_name": result.agent_name,
        "status": result.status,
        "attempts": result.attempts,
        "run_key": result.run_key,
        "past_runs": result.past_runs,
        "thread_id": result.run.thread_id if result.run else None,
        "run_id": result.run.run_id if result.run else None,
        "attempt_at": result.attempt_at,
        "due_at": result.due_at,
        "waiting_since": result.waiting_since,
        "input": result.input,
        "input_bytes": result.input_bytes,
        "output": result.output,
        "output_bytes": result.output_bytes,
        "reused": result.reused,
        "needs_input": result.needs_input,
        "usage": result.usage,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "started_at": result.started_at,
        "completed_at": result.completed_at,
        "remote_stop": result.remote_stop,
        "history": result.history,
    }


def result_of(row: Row) -> AgentResult:
    run = RunRef(row["thread_id"], row["run_id"]) if row["run_id"] else None
    return AgentResult(
        key=row["key"],
        agent_id=row["agent_id"],
        agent_name=row["agent_name"],
        status=AgentStatus(row["status"]),
        attempts=row["attempts"],
        run_key=row["run_key"],
        run=run,
        past_runs=tuple(row["past_runs"]),
        attempt_at=row["attempt_at"],
        due_at=row["due_at"],
        waiting_since=row["waiting_since"],
        input=row["input"],
        input_bytes=row["input_bytes"],
        output=row["output"],
        output_bytes=row["output_bytes"],
        reused=row["reused"],
        needs_input=row["needs_input"],
        usage=row["usage"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        remote_stop=RemoteStop(row["remote_stop"]),
        history=_history.validate_python(row["history"]),
    )
