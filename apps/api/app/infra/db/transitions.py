"""
What a transition of an execution writes, as one statement.

So it is one round trip and, on its own, one commit (ADR 8). What is read at the end of
SAVE and END runs first, from left to right: who does not hold the fence fails before anything of
it can collide.
"""

from app.domain.execution import Execution
from app.infra.db.connection import Row
from app.infra.db.events import HEAD, RUNG, WRITTEN
from app.infra.db.notifications import NOTIFIED
from app.infra.db.results import ADD_RESULTS, SAVE_RESULTS
from app.infra.db.texts import SAVE_TEXTS
from app.infra.db.webhooks import ANNOUNCED

_LOGGED = """
logged AS (
    INSERT INTO renum.execution_logs (execution_id, seq, timestamp, level, message, agent_id)
    SELECT told.execution_id, line.* FROM told, json_to_record(told.data) AS line (
        seq integer, timestamp timestamptz, level text, message text, agent_id uuid
    ) WHERE told.type = 'execution_log'
)
"""


def _saving(last_event_id: str) -> str:
    return f"""
WITH {HEAD}, saved AS (
    UPDATE renum.executions AS e
       SET status = given.status, progress = given.progress, started_at = given.started_at,
           deadline_at = given.deadline_at, estimated_completion = given.estimated_completion,
           completed_at = given.completed_at, cancelled_at = given.cancelled_at,
           error_code = given.error_code, error_message = given.error_message, seq = given.seq,
           claims = 0, fence = e.fence + %(raised)s, last_event_id = {last_event_id}
      FROM head, json_populate_record(NULL::renum.executions, %(execution)s::json) AS given
     WHERE e.id = %(id)s AND e.fence = %(fence)s
    RETURNING 1
), {WRITTEN}, {_LOGGED}, results AS ({SAVE_RESULTS}), texts AS ({SAVE_TEXTS})
"""


_OR_FENCED = "SELECT CASE WHEN EXISTS (SELECT FROM saved) THEN 1 ELSE renum.fenced() END"
SAVE = f"{_saving('NULL')} {_OR_FENCED}, {RUNG}"
#: Of an execution that has ended: its owner and their webhooks are told of it.
END = f"""
{_saving("coalesce(e.last_event_id, head.last_id)")}, {NOTIFIED}, {ANNOUNCED}
{_OR_FENCED}, {RUNG}, (SELECT count(*) FROM announced)
"""
ADD = f"""
WITH {HEAD}, added AS (
    INSERT INTO renum.executions (id, user_id, team_id, team_name, status, input, config, plan,
        progress, created_at, started_at, deadline_at, estimated_completion, seq, retry_of,
        team_version, trace_context, first_event_id)
    SELECT given.id, given.user_id, team_id, team_name, status, input, config, plan,
           progress, created_at, started_at, deadline_at, estimated_completion, seq, retry_of,
           team_version, trace_context, head.last_id - %(n)s + 1
      FROM head, json_populate_record(NULL::renum.executions, %(execution)s::json) AS given
), {WRITTEN}, {_LOGGED}, results AS ({ADD_RESULTS})
SELECT {RUNG}
"""


def changing(execution: Execution) -> Row:
    """Columns that a transition may change, for `execution` of all statements."""
    return {
        "status": execution.status,
        "progress": execution.progress,
        "started_at": execution.started_at,
        "deadline_at": execution.deadline_at,
        "estimated_completion": execution.estimated_completion,
        "completed_at": execution.completed_at,
        "cancelled_at": execution.cancelled_at,
        "error_code": execution.error_code,
        "error_message": execution.error_message,
        "seq": execution.seq,
    }
