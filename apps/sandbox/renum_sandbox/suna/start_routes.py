"""Starting a run: `initiate` and the two-step way under /api, `agent/start` under /v1."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Header, HTTPException, Request, UploadFile
from pydantic import BaseModel, ConfigDict

from renum_sandbox.context import CurrentSandbox
from renum_sandbox.faults import Operation
from renum_sandbox.suna import errors, starting, store
from renum_sandbox.suna.access import thread_for
from renum_sandbox.suna.caller import Account
from renum_sandbox.suna.dialect import CurrentDialect
from renum_sandbox.suna.faulty_route import FAULT_KEY, FaultyRoute
from renum_sandbox.suna.messages import of_thread, user_message
from renum_sandbox.suna.starting import Start

initiate_router = APIRouter(route_class=FaultyRoute)
start_router = APIRouter(route_class=FaultyRoute)


async def _start(
    request: Request,
    account_id: Account,
    dialect: CurrentDialect,
    x_request_id: Annotated[str | None, Header()] = None,
) -> Start:
    return Start(
        account_id=account_id,
        dialect=dialect,
        request_id=x_request_id,
        fault=request.scope.get(FAULT_KEY),
    )


Starting = Annotated[Start, Depends(_start)]
# Accepted and left alone, as are all other fields of the real forms: nothing here reads files.
Files = Annotated[list[UploadFile] | None, File()]


class AgentStart(BaseModel):
    """The JSON body of era A's second step; options of the model are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")
    agent_id: str | None = None


class NewMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")
    type: str
    content: str | dict[str, Any]
    is_llm_message: bool = True


@initiate_router.post("/agent/initiate", tags=[Operation.START])
async def initiate(
    sandbox: CurrentSandbox,
    start: Starting,
    prompt: Annotated[str, Form()],
    agent_id: Annotated[str | None, Form()] = None,
    files: Files = None,  # noqa: ARG001
) -> dict[str, Any]:
    """Project, thread, message and run in one call; the client cannot choose any id."""
    agent = starting.agent_for(start, agent_id)
    with sandbox.state.transaction():
        name = starting.project_name(prompt)
        thread = starting.new_thread(sandbox, start.account_id, name)
        starting.say(sandbox, thread, prompt, double_encoded=True)
        run = starting.start_run(sandbox, start, agent, thread, prompt)
    return {"thread_id": thread.id, "agent_run_id": run.id}


@initiate_router.post("/threads")
async def create_thread(
    sandbox: CurrentSandbox, account_id: Account, name: Annotated[str | None, Form()] = None
) -> dict[str, Any]:
    """First step of two: a thread whose id is known before anything runs."""
    thread = starting.new_thread(sandbox, account_id, name or "New Project")
    return {"thread_id": thread.id, "project_id": thread.project_id}


@initiate_router.post("/threads/{thread_id}/messages")
async def add_message(
    thread_id: str, body: NewMessage, sandbox: CurrentSandbox, account_id: Account
) -> dict[str, Any]:
    """Second step: the user's message."""
    thread = thread_for(sandbox, account_id, thread_id)
    if body.type != "user":
        raise HTTPException(400, "The sandbox stores messages of users only")
    content = body.content if isinstance(body.content, str) else str(body.content.get("content"))
    return user_message(starting.say(sandbox, thread, content, double_encoded=False))


@initiate_router.post("/thread/{thread_id}/agent/start", tags=[Operation.START])
async def start_on_thread(
    thread_id: str, sandbox: CurrentSandbox, start: Starting, body: AgentStart
) -> dict[str, Any]:
    """Third step: the run. A thread whose last message is not a user's ends at once."""
    thread = thread_for(sandbox, start.account_id, thread_id)
    agent = starting.agent_for(start, body.agent_id)
    written = of_thread(sandbox, thread.id, optimized=False, with_assistant=True)
    waiting = written and written[-1]["type"] == "user"
    prompt = store.messages(sandbox.state, thread.id)[-1].content if waiting else ""
    run = starting.start_run(sandbox, start, agent, thread, prompt)
    return {"agent_run_id": run.id, "status": "running"}


@start_router.post("/agent/start", tags=[Operation.START])
async def agent_start(
    sandbox: CurrentSandbox,
    start: Starting,
    prompt: Annotated[str | None, Form()] = None,
    agent_id: Annotated[str | None, Form()] = None,
    thread_id: Annotated[str | None, Form()] = None,
    project_id: Annotated[str | None, Form()] = None,
    optimistic: Annotated[bool, Form()] = False,
    files: Files = None,  # noqa: ARG001
) -> dict[str, Any]:
    """One call for all: a new thread, the client's own ids (`optimistic`), or a known thread."""
    for given in (thread_id, project_id):
        if given:
            errors.require_uuid(given, "Failed to start agent")
    agent = starting.agent_for(start, agent_id)
    known = store.thread(sandbox.state, thread_id) if thread_id else None
    if known is not None or (thread_id and not optimistic):
        thread_for(sandbox, start.account_id, thread_id or "")
    if known is None and not prompt:
        raise HTTPException(400, "prompt is required when creating a new thread")
    with sandbox.state.transaction():
        thread = known or starting.new_thread(
            sandbox,
            start.account_id,
            starting.project_name(prompt or ""),
            thread_id=thread_id or "",
            project_id=project_id or "",
        )
        if prompt:
            starting.say(sandbox, thread, prompt, double_encoded=False)
        run = starting.start_run(sandbox, start, agent, thread, prompt or "")
    return {
        "thread_id": thread.id,
        "agent_run_id": run.id,
        "project_id": thread.project_id,
        "sandbox_id": None,
        "status": "running",
    }
