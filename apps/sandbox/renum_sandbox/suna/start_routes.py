"""Starting a run: `initiate` or two steps (era A), `agent/start` (A2 and, with more, B)."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, HTTPException, UploadFile
from pydantic import BaseModel, ConfigDict

from renum_sandbox.context import CurrentSandbox, Sandbox
from renum_sandbox.faults import Fault, Operation
from renum_sandbox.suna import errors, starting, store
from renum_sandbox.suna.access import thread_for
from renum_sandbox.suna.caller import Account
from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.messages import of_thread, user_message
from renum_sandbox.suna.refusals import SunaRoute
from renum_sandbox.suna.runs import Run
from renum_sandbox.suna.starting import Start, Starting

initiate_router = APIRouter(route_class=SunaRoute)
start_a2_router = APIRouter(route_class=SunaRoute)
start_router = APIRouter(route_class=SunaRoute)


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
    return {"thread_id": thread.id, "agent_run_id": _id_for_client(start, run)}


@initiate_router.post("/threads", tags=[Operation.THREADS])
async def create_thread(
    sandbox: CurrentSandbox, account_id: Account, name: Annotated[str | None, Form()] = None
) -> dict[str, Any]:
    """First step of two: a thread whose id is known before anything runs."""
    thread = starting.new_thread(sandbox, account_id, name or "New Project")
    return {"thread_id": thread.id, "project_id": thread.project_id}


@initiate_router.post("/threads/{thread_id}/messages", tags=[Operation.THREADS])
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
    return {"agent_run_id": _id_for_client(start, run), "status": "running"}


@start_a2_router.post("/agent/start", tags=[Operation.START])
async def agent_start_a2(
    sandbox: CurrentSandbox,
    start: Starting,
    prompt: Annotated[str | None, Form()] = None,
    agent_id: Annotated[str | None, Form()] = None,
    thread_id: Annotated[str | None, Form()] = None,
    project_id: Annotated[str | None, Form()] = None,
    files: Files = None,  # noqa: ARG001
) -> dict[str, Any]:
    """One call for all, as `agent_start`; but every id that is given must be known."""
    if project_id:
        errors.require_uuid(project_id, "Failed to start agent")
        if not store.owns_project(sandbox.state, start.account_id, project_id):
            raise errors.project_not_found()
    return _unified(sandbox, start, prompt, agent_id, thread_id, project_id, may_be_new=False)


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
    return _unified(sandbox, start, prompt, agent_id, thread_id, project_id, may_be_new=optimistic)


def _unified(
    sandbox: Sandbox,
    start: Start,
    prompt: str | None,
    agent_id: str | None,
    thread_id: str | None,
    project_id: str | None,
    *,
    may_be_new: bool,
) -> dict[str, Any]:
    """`may_be_new`: an unknown thread id becomes that of a new thread, instead of a 404."""
    for given in (thread_id, project_id):
        if given:
            errors.require_uuid(given, "Failed to start agent")
    agent = starting.agent_for(start, agent_id)
    known = store.thread(sandbox.state, thread_id) if thread_id else None
    if known is not None or (thread_id and not may_be_new):
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
            as_era_a = start.dialect is Dialect.START_A2
            starting.say(sandbox, thread, prompt, double_encoded=as_era_a and known is None)
        run = starting.start_run(sandbox, start, agent, thread, prompt or "")
    return {
        "thread_id": thread.id,
        "agent_run_id": _id_for_client(start, run),
        "project_id": thread.project_id,
        "sandbox_id": None,
        "status": "running",
    }


def _id_for_client(start: Start, run: Run) -> str | None:
    """Suna's schema lets the id of the run be null, though the run exists."""
    return None if start.fault is Fault.NO_RUN_ID else run.id
