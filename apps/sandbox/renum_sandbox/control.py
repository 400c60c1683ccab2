"""`/sandbox`: what tests and demos look at and turn; no real system has these routes."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from renum_sandbox import __version__, fault_script
from renum_sandbox.context import CurrentSandbox
from renum_sandbox.faults import MOST_TIMES, Fault, Operation
from renum_sandbox.suna import store
from renum_sandbox.suna.frames import iso

router = APIRouter(prefix="/sandbox", tags=["sandbox"])


class NewFault(BaseModel):
    model_config = ConfigDict(extra="forbid")
    operation: Operation
    fault: Fault
    times: Annotated[int, Field(ge=1, le=MOST_TIMES)] = 1


class Script(BaseModel):
    model_config = ConfigDict(extra="forbid")
    script: str


@router.get("/health")
async def health(sandbox: CurrentSandbox) -> dict[str, Any]:
    model = sandbox.options.model
    return {
        "status": "ok",
        "version": __version__,
        "speed": sandbox.options.speed,
        "model": model.name if model else None,
        "faults": sandbox.faults.pending(),
    }


@router.get("/starts")
async def starts(sandbox: CurrentSandbox) -> dict[str, Any]:
    """Every run that was ever started, oldest first: how a test counts what really happened."""
    now = sandbox.now()
    return {
        "starts": [
            {
                "agent_id": run.agent_id,
                "prompt": run.prompt,
                "thread_id": run.thread_id,
                "run_id": run.id,
                "request_id": run.request_id,
                "dialect": run.dialect.value,
                "started_at": iso(run.started_at),
                "status": run.status(now).value,
            }
            for run in store.all_runs(sandbox.state)
        ]
    }


@router.get("/calls")
async def calls(request: Request) -> dict[str, Any]:
    """The last 1,000 requests, oldest first: how a test sees which headers came."""
    return {"calls": list(request.app.state.calls)}


@router.get("/faults")
async def pending_faults(sandbox: CurrentSandbox) -> dict[str, Any]:
    return {"faults": sandbox.faults.pending()}


@router.post("/faults", status_code=201)
async def add_fault(body: NewFault, sandbox: CurrentSandbox) -> dict[str, Any]:
    """Break the next calls of one operation, behind what is queued already."""
    try:
        sandbox.faults.add(body.operation, body.fault, body.times)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    return {"faults": sandbox.faults.pending()}


@router.post("/script", status_code=201)
async def run_script(body: Script, sandbox: CurrentSandbox) -> dict[str, Any]:
    """Plan faults at certain calls, beside what is planned already; all of the script or none."""
    try:
        fault_script.plan(fault_script.parse(body.script), sandbox.faults)
    except fault_script.ScriptError as error:
        raise HTTPException(422, str(error)) from error
    return {"faults": sandbox.faults.pending()}


@router.delete("/faults", status_code=204)
async def clear_faults(sandbox: CurrentSandbox) -> None:
    sandbox.faults.clear()
