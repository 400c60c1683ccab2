"""One run: status, stream, stop; and the runs of a thread."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from renum_sandbox.context import CurrentSandbox
from renum_sandbox.faults import Fault, Operation
from renum_sandbox.faulty_route import FAULT_KEY
from renum_sandbox.suna import stopping, stream
from renum_sandbox.suna.access import run_for, thread_for, visible_runs
from renum_sandbox.suna.caller import Account, StreamAccount
from renum_sandbox.suna.dialect import CurrentDialect, Dialect
from renum_sandbox.suna.frames import iso
from renum_sandbox.suna.refusals import SunaRoute
from renum_sandbox.suna.runs import Run
from renum_sandbox.suna.starting import TRACEBACK

router = APIRouter(route_class=SunaRoute)


@router.get("/agent-run/{run_id}", tags=[Operation.STATUS])
async def get_run(
    run_id: str,
    request: Request,
    sandbox: CurrentSandbox,
    account_id: Account,
    dialect: CurrentDialect,
) -> dict[str, Any]:
    """The truth about a run, in camelCase: the only place of Suna's API that has it."""
    body = _snake(run_for(sandbox, account_id, run_id, dialect), sandbox.now())
    match request.scope.get(FAULT_KEY):
        case Fault.FAIL_RUN:
            body |= {"status": "failed", "completed_at": iso(sandbox.now()), "error": TRACEBACK}
        case Fault.LIE_COMPLETED:
            body |= {"status": "completed", "completed_at": iso(sandbox.now()), "error": None}
        case Fault.ODD_STATUS:
            body["status"] = "error"
        case Fault.PENDING:
            body["status"] = "pending"
    return {
        "id": body["id"],
        "threadId": body["thread_id"],
        "status": body["status"],
        "startedAt": body["started_at"],
        "completedAt": body["completed_at"],
        "error": body["error"],
    }


@router.get("/thread/{thread_id}/agent-runs", tags=[Operation.RUNS])
async def runs_of_thread(
    thread_id: str, sandbox: CurrentSandbox, account_id: Account
) -> dict[str, Any]:
    """Newest first: how a client finds out whether a start with a lost answer happened."""
    thread = thread_for(sandbox, account_id, thread_id)
    runs, pending = visible_runs(sandbox, thread)
    body: dict[str, Any] = {"agent_runs": [_snake(run, sandbox.now()) for run in runs]}
    return {**body, "_pending": True} if pending else body


@router.get("/agent-run/{run_id}/stream", tags=[Operation.STREAM])
async def stream_run(
    run_id: str,
    request: Request,
    sandbox: CurrentSandbox,
    account_id: StreamAccount,
    dialect: CurrentDialect,
    last_id: str = "",
) -> StreamingResponse:
    """Server-sent events; `last_id` resumes behind an `_event_id` (era B)."""
    run = run_for(sandbox, account_id, run_id, dialect)
    after = last_id if dialect is Dialect.START else ""
    return StreamingResponse(
        stream.follow(sandbox, run, after=after, fault=request.scope.get(FAULT_KEY)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )


@router.post("/agent-run/{run_id}/stop", tags=[Operation.STOP])
async def stop_run(
    run_id: str,
    request: Request,
    sandbox: CurrentSandbox,
    account_id: Account,
    dialect: CurrentDialect,
) -> dict[str, Any]:
    """Stop a run. Not guarded: a run that was `completed` is `stopped` afterwards."""
    run = run_for(sandbox, account_id, run_id, dialect)
    if request.scope.get(FAULT_KEY) is not Fault.IGNORE_STOP:
        stopping.stop(sandbox, run)
    return {"status": "stopped"}


def _snake(run: Run, now: float) -> dict[str, Any]:
    completed_at = run.completed_at(now)
    started = iso(run.started_at)
    ended = None if completed_at is None else iso(completed_at)
    return {
        "id": run.id,
        "thread_id": run.thread_id,
        "status": run.status(now).value,
        "started_at": started,
        "completed_at": ended,
        "error": run.error_shown(now),
        "agent_id": run.agent_id,
        "created_at": started,
        "updated_at": ended or started,
    }
