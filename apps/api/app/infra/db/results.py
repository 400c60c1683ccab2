"""The row of an agent's result."""

from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from app.domain.agents import RunRef
from app.domain.history import History
from app.domain.results import AgentResult, AgentStatus, RemoteStop
from app.infra.db.connection import Row

_history = TypeAdapter(History)

SAVE_RESULT = """
UPDATE renum.agent_results
   SET status = %(status)s, attempts = %(attempts)s, run_key = %(run_key)s,
       past_runs = %(past_runs)s, thread_id = %(thread_id)s, run_id = %(run_id)s,
       attempt_at = %(attempt_at)s,
       due_at = %(due_at)s, waiting_since = %(waiting_since)s,
       input = %(input)s, input_bytes = %(input_bytes)s,
       output = %(output)s, output_bytes = %(output_bytes)s, reused = %(reused)s,
       needs_input = %(needs_input)s, usage = %(usage)s, error_code = %(error_code)s,
       error_message = %(error_message)s, started_at = %(started_at)s,
       completed_at = %(completed_at)s, remote_stop = %(remote_stop)s, history = %(history)s
 WHERE execution_id = %(execution_id)s AND key = %(key)s
"""


def result_values(execution_id: UUID, result: AgentResult) -> Row:
    return {
        "execution_id": execution_id,
        "key": result.key,
        "status": result.status,
        "attempts": result.attempts,
        "run_key": result.run_key,
        "past_runs": list(result.past_runs),
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
        "usage": Jsonb(result.usage) if result.usage is not None else None,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "started_at": result.started_at,
        "completed_at": result.completed_at,
        "remote_stop": result.remote_stop,
        "history": Jsonb(result.history),
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
