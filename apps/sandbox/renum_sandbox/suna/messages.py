"""A thread's messages as Suna lists them: what users wrote, and what runs have written so far."""

import json
from typing import Any

from renum_sandbox.context import Sandbox
from renum_sandbox.suna import script, store
from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.frames import assistant_message, iso, message_id, tool_message
from renum_sandbox.suna.runs import Run
from renum_sandbox.suna.store import UserMessage

Message = dict[str, Any]


def of_thread(
    sandbox: Sandbox, thread_id: str, *, optimized: bool, with_assistant: bool
) -> list[Message]:
    """
    Oldest first. `optimized` leaves out the content of assistant messages (era B's default).

    `with_assistant` is False for the `empty-answer` fault.
    """
    found = [(m.created_at, user_message(m)) for m in store.messages(sandbox.state, thread_id)]
    for run in reversed(store.runs_of_thread(sandbox.state, thread_id)):
        if with_assistant:
            found += _written(sandbox, run, optimized=optimized)
    # Stable: what was written at the same moment (speed 0) keeps the order it was added in.
    return [message for _, message in sorted(found, key=lambda pair: pair[0])]


def user_message(message: UserMessage) -> Message:
    """The first message of `initiate` is encoded twice, all others are objects."""
    content: Any = {"role": "user", "content": message.content}
    return _message(
        message.id,
        message.thread_id,
        "user",
        json.dumps(content, ensure_ascii=False) if message.double_encoded else content,
        {},
        message.created_at,
    )


def _written(sandbox: Sandbox, run: Run, *, optimized: bool) -> list[tuple[float, Message]]:
    """The closed turns of a run, with the results of their tools."""
    found: list[tuple[float, Message]] = []
    until = run.heard_until(sandbox.now())
    for turn, at in script.closed_turns(script.beats(run), until):
        content, metadata = assistant_message(run, turn)
        shown = None if optimized and run.dialect is Dialect.START else content
        assistant_id = message_id(run, turn, "assistant")
        found.append((at, _message(assistant_id, run.thread_id, "assistant", shown, metadata, at)))
        if turn.call is not None and turn.call.result is not None:
            tool_id = message_id(run, turn, "tool")
            found.append((at, _message(tool_id, run.thread_id, "tool", tool_message(turn), {}, at)))
    return found


def _message(
    id_: str, thread_id: str, kind: str, content: object, metadata: dict[str, Any], at: float
) -> Message:
    message: Message = {
        "message_id": id_,
        "thread_id": thread_id,
        "type": kind,
        "is_llm_message": True,
        "content": content,
        "metadata": metadata,
        "created_at": iso(at),
        "updated_at": iso(at),
    }
    if content is None:
        del message["content"]
    return message
