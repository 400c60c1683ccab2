"""Starting a run: the thread, the user's message and the run's row, in one transaction."""

import math
from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Header, Request

from renum_sandbox.agents import catalogue
from renum_sandbox.agents.catalogue import Agent
from renum_sandbox.agents.prompt import Markers, markers, without_markers
from renum_sandbox.context import Sandbox
from renum_sandbox.faults import Fault
from renum_sandbox.faulty_route import FAULT_KEY
from renum_sandbox.suna import errors, script, store
from renum_sandbox.suna.caller import Account
from renum_sandbox.suna.dialect import CurrentDialect, Dialect
from renum_sandbox.suna.runs import ASKING, Ending, Engine, Run
from renum_sandbox.suna.store import Thread, UserMessage

_NAME_LENGTH = 30
_VISIBLE_AFTER_S = 0.15
"""At speed 1: how long era B answers 404 for a run that it has just started."""

UNKNOWN_FOR_S = 0.3
"""At any speed: how long a run of a `404-first` start is unknown."""

OUT_OF_CREDIT = "Insufficient credits. Your balance is $0.00. Please add credits to continue."
"""Why a `billing-stop` run was stopped."""

TRACEBACK = """Traceback (most recent call last):
  File "core/run_agent_background.py", line 219, in run_agent_background
    raise RuntimeError("the model provider answered 529")
RuntimeError: the model provider answered 529"""
"""Real failures carry one; it belongs into a log and never before a user."""

_ENDING_OF_FAULT = {
    Fault.FAIL_RUN: Ending.FAIL,
    Fault.EMPTY_ANSWER: Ending.EMPTY,
    Fault.LIE_COMPLETED: Ending.LIE,
    Fault.ASK: Ending.ASK,
    Fault.TAKEOVER: Ending.TAKEOVER,
    Fault.OLD_TAGS: Ending.OLD_TAGS,
    Fault.OLD_ASK: Ending.OLD_ASK,
    Fault.ATTACHMENTS: Ending.ATTACHMENTS,
    Fault.LATE_ANSWER: Ending.LATE,
    Fault.BILLING_STOP: Ending.BILLING,
    Fault.FOREVER: Ending.FOREVER,
    Fault.WORKER_TIMEOUT: Ending.FAIL,
}
# What a gateway makes of Suna's messages; it reads them for its clients.
_ENDING_AT_GATEWAY = {Ending.OLD_TAGS: Ending.ANSWER, Ending.OLD_ASK: Ending.ASK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a start request says, whichever endpoint it came by."""

    account_id: str
    dialect: Dialect
    request_id: str | None
    fault: Fault | None


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


def agent_for(start: Start, agent_id: str | None) -> Agent:
    """The agent to run, the default one when none is named. Raises Suna's 404."""
    if not agent_id:
        return catalogue.DEFAULT_AGENT
    errors.require_uuid(agent_id, "Failed to initiate agent session")
    agent = catalogue.find(agent_id)
    if agent is None or agent.private:
        raise errors.agent_not_startable(start.dialect)
    return agent


def new_thread(
    sandbox: Sandbox, account_id: str, name: str, *, thread_id: str = "", project_id: str = ""
) -> Thread:
    thread = Thread(
        id=thread_id or str(uuid4()),
        project_id=project_id or str(uuid4()),
        account_id=account_id,
        name=name,
        created_at=sandbox.now(),
    )
    store.add_thread(sandbox.state, thread)
    return thread


def project_name(prompt: str) -> str:
    """What Suna calls a project until a model has named it, a moment after the start."""
    return f"{prompt[:_NAME_LENGTH]}..." if len(prompt) > _NAME_LENGTH else prompt


def say(sandbox: Sandbox, thread: Thread, prompt: str, *, double_encoded: bool) -> UserMessage:
    """Add a message of the user to a thread."""
    message = UserMessage(
        id=str(uuid4()),
        thread_id=thread.id,
        content=prompt,
        double_encoded=double_encoded,
        created_at=sandbox.now(),
    )
    store.add_message(sandbox.state, message)
    return message


def start_run(sandbox: Sandbox, start: Start, agent: Agent, thread: Thread, prompt: str) -> Run:
    """
    Store a run, and set the model to work when there is one.

    Without a prompt there is nothing to answer, and the run ends at once. A prompt with a
    marker, or a fault, is always answered by the demo engine: they exist to make a run
    predictable.
    """
    now, speed = sandbox.now(), sandbox.options.speed
    marks = markers(prompt)
    predictable = marks.any or start.fault is not None or not prompt
    engine = Engine.DEMO if predictable or sandbox.model_runs is None else Engine.MODEL
    ending = _ENDING_OF_FAULT.get(start.fault) if start.fault else None
    ending = ending or _ending(prompt, marks)
    if start.dialect is Dialect.EXECUTE:
        ending = _ENDING_AT_GATEWAY.get(ending, ending)
    endless = engine is Engine.MODEL or ending is Ending.FOREVER
    run = Run(
        id=str(uuid4()),
        thread_id=thread.id,
        account_id=start.account_id,
        agent_id=agent.id,
        dialect=start.dialect,
        prompt=prompt,
        request_id=start.request_id,
        engine=engine,
        ending=ending,
        started_at=now,
        visible_at=now + _invisible_s(start, marks, speed),
        ends_at=None if endless else now + _length_s(agent, prompt, ending, speed),
        error=_error(start.fault, ending),
        model_text=None,
        stopped_at=None,
    )
    store.add_run(sandbox.state, run)
    if engine is Engine.MODEL and sandbox.model_runs is not None:
        sandbox.model_runs.start(run)
    return run


def _ending(prompt: str, marks: Markers) -> Ending:
    if marks.fail:
        return Ending.FAIL
    if marks.ask:
        return Ending.ASK
    return Ending.EMPTY if marks.empty or not prompt else Ending.ANSWER


def _invisible_s(start: Start, marks: Markers, speed: float) -> float:
    """How long a run is unknown after its start; only era B's is without being told to."""
    if start.fault is Fault.NOT_FOUND:
        return math.inf
    if start.fault is Fault.FIRST_404:
        return UNKNOWN_FOR_S
    if marks.late_s is not None:
        return marks.late_s
    return _VISIBLE_AFTER_S * speed if start.dialect is Dialect.START else 0.0


def _error(fault: Fault | None, ending: Ending) -> str | None:
    if ending is Ending.BILLING:
        return OUT_OF_CREDIT
    if ending is not Ending.FAIL:
        return None
    if fault is Fault.WORKER_TIMEOUT:
        return "Worker timeout"
    return TRACEBACK if fault else "The prompt asked the sandbox to fail this run"


def _length_s(agent: Agent, prompt: str, ending: Ending, speed: float) -> float:
    if not prompt:
        return 0.0
    says_nothing = ending in (Ending.EMPTY, Ending.LIE) or ending in ASKING
    text = "" if says_nothing else catalogue.answer(agent.id, without_markers(prompt))
    length = script.duration_s(text, markers(prompt), speed)
    return length / 2 if ending is Ending.BILLING else length
