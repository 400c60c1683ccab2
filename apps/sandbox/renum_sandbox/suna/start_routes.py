"""Starting a run: `initiate` and the two-step way under /api, `agent/start` under /v1."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Header, HTTPException, Request, UploadFile
from pydantic import BaseModel

from renum_sandbox.context import CurrentSandbox, Sandbox
from renum_sandbox.faults import Operation
from renum_sandbox.suna import access, errors, store
from renum_sandbox.suna.caller import Account
from renum_sandbox.suna.dialect import CurrentDialect
from renum_sandbox.suna.faulty_route import FAULT_KEY, FaultyRoute
from renum_sandbox.suna.messages import of_thread, user_message
from renum_sandbox.suna.starting import (
    Start,
    agent_for,
    new_thread,
    project_name,
    say,
    start_empty_run,
    start_run,
)

initiate_router = APIRouter(route_class=FaultyRoute)
start_router = APIRouter(route_class=FaultyRoute)

Files = Annotated[list[UploadFile], File()]


async def _start_of(
    request: Request,
    account_id: Account,
    dialect: CurrentDialect,
    x_request_id: Annotated[str | None, Header()] = None,
) -> Start:
    return Start(
        account_id=account_id,
        agent_id=None,
        dialect=dialect,
        request_id=x_request_id,
        fault=request.scope.get(FAULT_KEY),
    )


Starting = Annotated[Start, Depends(_start_of)]
