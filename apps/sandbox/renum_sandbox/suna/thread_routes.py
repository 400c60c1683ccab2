"""The account's threads, and the messages of one."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from renum_sandbox.context import CurrentSandbox, Sandbox
from renum_sandbox.faults import Fault, Operation
from renum_sandbox.faulty_route import FAULT_KEY
from renum_sandbox.suna import store
from renum_sandbox.suna.access import thread_for, visible_runs
from renum_sandbox.suna.caller import Account
from renum_sandbox.suna.dialect import CurrentDialect, Dialect
from renum_sandbox.suna.frames import iso
from renum_sandbox.suna.messages import encoded_twice, of_thread
from renum_sandbox.suna.refusals import SunaRoute
from renum_sandbox.suna.store import Thread

router = APIRouter(route_class=SunaRoute)

_NAMED_AFTER_S = 1.0
"""At speed 1: how long a project bears the beginning of its prompt as its name."""


@router.get("/threads", tags=[Operation.THREADS])
async def list_threads(
    sandbox: CurrentSandbox,
    account_id: Account,
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Newest first. A project is named after its prompt for a moment only."""
    found, total = store.threads(sandbox.state, account_id, limit=limit, offset=(page - 1) * limit)
    pages = -(-total // limit)
    return {
        "threads": [_as_json(thread, _shown_name(sandbox, thread)) for thread in found],
        "pagination": {"page": page, "limit": limit, "total": total, "pages": pages},
    }


@router.get("/threads/{thread_id}/messages", tags=[Operation.MESSAGES])
async def list_messages(
    thread_id: str,
    request: Request,
    sandbox: CurrentSandbox,
    account_id: Account,
    dialect: CurrentDialect,
    order: Literal["asc", "desc"] = "desc",
    optimized: bool = True,
) -> dict[str, Any]:
    """All messages of a thread, unpaginated. `optimized` exists in era B only."""
    thread = thread_for(sandbox, account_id, thread_id)
    fault = request.scope.get(FAULT_KEY)
    messages = of_thread(
        sandbox,
        thread.id,
        optimized=fault is Fault.OPTIMIZED or (optimized and dialect is Dialect.START),
        with_assistant=fault is not Fault.EMPTY_ANSWER,
    )
    if fault is Fault.DOUBLE_ENCODED:
        messages = [encoded_twice(message) for message in messages]
    if order == "desc":
        messages.reverse()
    pending = visible_runs(sandbox, thread)[1]
    return {"messages": messages, "_pending": True} if pending else {"messages": messages}


def _shown_name(sandbox: Sandbox, thread: Thread) -> str:
    """Suna has a model think of a name in the background: a client must not go by the first one."""
    if sandbox.now() - thread.created_at < _NAMED_AFTER_S * sandbox.options.speed:
        return thread.name
    return f"{' '.join(thread.name.title().split()[:3])} Project"


def _as_json(thread: Thread, name: str) -> dict[str, Any]:
    made = iso(thread.created_at)
    return {
        "thread_id": thread.id,
        "account_id": thread.account_id,
        "project_id": thread.project_id,
        "metadata": {},
        "is_public": False,
        "created_at": made,
        "updated_at": made,
        "project": {
            "project_id": thread.project_id,
            "name": name,
            "description": "",
            "account_id": thread.account_id,
            "sandbox": {},
            "is_public": False,
            "created_at": made,
            "updated_at": made,
        },
    }
