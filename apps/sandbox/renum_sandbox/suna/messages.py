"""A thread's messages as Suna lists them: what users wrote, and what runs have written so far."""

import json
from typing import Any

from renum_sandbox.context import Sandbox
from renum_sandbox.suna import script, store
from renum_sandbox.suna.frames import assistant_message, iso, message_id, tool_message
from renum_sandbox.suna.runs import ASKING, Ending, Run
from renum_sandbox.suna.script import Turn
from renum_sandbox.suna.store import UserMessage

Message = dict[str, Any]


LATE_S = 0.3
"""How long after the end of a `late-answer` run its last message can be read."""


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


def encoded_twice(message: Message) -> Message:
    """Content and metadata as text that holds JSON; what is text already stays as it is."""
    texts = {
        key: json.dumps(message[key], ensure_ascii=False)
        for key in ("content", "metadata")
        if isinstance(message.get(key), dict)
    }
    return {**message, **texts}


def _written(sandbox: Sandbox, run: Run, *, optimized: bool) -> list[tuple[float, Message]]:
    """The closed turns of a run, with the results of their tools."""
    found: list[tuple[float, Message]] = []
    for turn, at in _readable_turns(sandbox, run):
        content, metadata = assistant_message(run, turn)
        if optimized:
            metadata = {"text_content": turn.as_xml(), **metadata}
        shown = None if optimized else content
        assistant_id = message_id(run, turn, "assistant")
        found.append((at, _message(assistant_id, run.thread_id, "assistant", shown, metadata, at)))
        if turn.call is not None and turn.call.result is not None:
            tool_id = message_id(run, turn, "tool")
            found.append((at, _message(tool_id, run.thread_id, "tool", tool_message(turn), {}, at)))
    return found


def _readable_turns(sandbox: Sandbox, run: Run) -> list[tuple[Turn, float]]:
    now = sandbox.now()
    closed = script.closed_turns(script.beats(run), run.heard_until(now))
    late = run.ending is Ending.LATE and run.ends_at is not None and now < run.ends_at + LATE_S
    return [(turn, at) for turn, at in closed if not (late and turn.last)]


def final_answer(sandbox: Sandbox, run: Run) -> tuple[str | None, bool]:
    """The text that a run ends with, None without one, and whether it asks a human."""
    turns = [turn for turn, _ in _readable_turns(sandbox, run)]
    if not turns:
        return None, run.ending in ASKING
    said = turns[-1].call.arguments["text"] if turns[-1].call else ""
    text = "\n\n".join(part for part in (turns[-1].prose, said) if part)
    return text or None, run.ending in ASKING


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
