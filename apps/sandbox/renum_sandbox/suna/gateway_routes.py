"""
The dialect `execute`: a gateway before Suna that offers what Renum's specification assumed.

No Suna has these routes. Under them are the same runs, so `/sandbox/starts` lists them too.
"""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict

from renum_sandbox.context import CurrentSandbox, Sandbox
from renum_sandbox.faults import Fault, Operation
from renum_sandbox.faulty_route import FAULT_KEY
from renum_sandbox.suna import errors, starting, stopping, store
from renum_sandbox.suna.caller import Account
from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.frames import iso
from renum_sandbox.suna.messages import final_answer
from renum_sandbox.suna.refusals import SunaRoute
from renum_sandbox.suna.runs import Run, RunStatus
from renum_sandbox.suna.starting import TRACEBACK, Starting

router = APIRouter(route_class=SunaRoute)

_STATUS = {
    RunStatus.RUNNING: "running",
    RunStatus.COMPLETED: "completed",
    RunStatus.FAILED: "failed",
    RunStatus.STOPPED: "cancelled",
}


class InputData(BaseModel):
    """Anything may stand beside the prompt; the agents do not look at it."""

    model_config = ConfigDict(extra="allow")
    prompt: str


class Execute(BaseModel):
    model_config = ConfigDict(extra="ignore")
    input_data: InputData


class Started(BaseModel):
    execution_id: str | None
    agent_id: str
    status: str
    started_at: str


class Execution(BaseModel):
    execution_id: str
    agent_id: str
    status: str
    output: str | None
    error: str | None
    needs_input: bool
    started_at: str
    completed_at: str | None


class Cancelled(BaseModel):
    execution_id: str
    status: str


@router.post("/agents/{agent_id}/execute", status_code=202, tags=[Operation.START])
async def execute(
    agent_id: str,
    body: Execute,
    response: Response,
    sandbox: CurrentSandbox,
    start: Starting,
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> Started:
    """Start an agent, or answer 200 with the execution that the same key has started."""
    run = store.run_of_key(sandbox.state, start.account_id, idempotency_key or "")
    if run is None:
        run = _start(sandbox, start, agent_id, body.input_data.prompt, idempotency_key)
    else:
        response.status_code = 200
    return Started(
        execution_id=None if start.fault is Fault.NO_RUN_ID else run.id,
        agent_id=run.agent_id,
        status=_STATUS[run.status(sandbox.now())] if response.status_code == 200 else "running",
        started_at=iso(run.started_at),
    )


@router.get("/executions/{execution_id}", tags=[Operation.STATUS])
async def get_execution(
    execution_id: str, request: Request, sandbox: CurrentSandbox, account_id: Account
) -> Execution:
    """How an execution stands, and its output once it is completed."""
    run = _execution_for(sandbox, account_id, execution_id)
    now = sandbox.now()
    status = run.status(now)
    text, needs_input = None, False
    if status is RunStatus.COMPLETED:
        text, needs_input = final_answer(sandbox, run)
    completed_at = run.completed_at(now)
    shown = Execution(
        execution_id=run.id,
        agent_id=run.agent_id,
        status=_STATUS[status],
        output=text,
        error=run.error_shown(now),
        needs_input=needs_input,
        started_at=iso(run.started_at),
        completed_at=None if completed_at is None else iso(completed_at),
    )
    match request.scope.get(FAULT_KEY):
        case Fault.FAIL_RUN:
            return shown.model_copy(update={"status": "failed", "error": TRACEBACK})
        case Fault.LIE_COMPLETED:
            return shown.model_copy(update={"status": "completed", "error": None, "output": None})
        case Fault.ODD_STATUS:
            return shown.model_copy(update={"status": "error", "output": None})
        case Fault.PENDING:
            return shown.model_copy(update={"status": "pending", "output": None})
        case _:
            return shown


@router.post("/executions/{execution_id}/cancel", tags=[Operation.STOP])
async def cancel(
    execution_id: str, request: Request, sandbox: CurrentSandbox, account_id: Account
) -> Cancelled:
    """Unlike Suna's stop, one that comes too late is refused."""
    run = _execution_for(sandbox, account_id, execution_id)
    if run.status(sandbox.now()) is not RunStatus.RUNNING:
        raise errors.execution_ended()
    if request.scope.get(FAULT_KEY) is not Fault.IGNORE_STOP:
        stopping.stop(sandbox, run)
    return Cancelled(execution_id=run.id, status="cancelled")


def _start(
    sandbox: Sandbox, start: starting.Start, agent_id: str, prompt: str, key: str | None
) -> Run:
    agent = starting.agent_for(start, agent_id)
    with sandbox.state.transaction():
        name = starting.project_name(prompt)
        thread = starting.new_thread(sandbox, start.account_id, name)
        starting.say(sandbox, thread, prompt, double_encoded=False)
        run = starting.start_run(sandbox, start, agent, thread, prompt)
        if key:
            store.add_key(sandbox.state, start.account_id, key, run.id)
    return run


def _execution_for(sandbox: Sandbox, account_id: str, execution_id: str) -> Run:
    """Unlike Suna, the gateway does not tell what is unknown from what is somebody else's."""
    run = store.run(sandbox.state, execution_id)
    if run is None or run.account_id != account_id or sandbox.now() < run.visible_at:
        raise errors.run_not_found(Dialect.EXECUTE)
    return run
