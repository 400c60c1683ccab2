"""Puts an agent's answer together from the messages of its thread (suna.md §1.6). Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.common.text import storable
from app.domain.agents import Answer

_CALLS = re.compile(r"<function_calls>.*?(?:</function_calls>|\Z)", re.DOTALL)
_INVOKE = re.compile(r"<invoke name=\"(?P<name>[^\"]+)\">(?P<body>.*?)(?:</invoke>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter name=\"text\">(?P<text>.*?)(?:</parameter>|\Z)", re.DOTALL)
_OLD_STYLE = re.compile(
    r"<(?P<name>complete|ask)(?:\s[^>]*)?>(?P<text>.*?)(?:</(?P=name)>|\Z)", re.DOTALL
)
_ENDINGS = ("complete", "ask", "web_browser_takeover", "web-browser-takeover")


def assemble(messages: Sequence[object]) -> Answer:
    """The answer in a thread's messages, oldest first; empty when there is none."""
    known = [m for m in messages if isinstance(m, Mapping)]
    last_user = max((i for i, m in enumerate(known) if m.get("type") == "user"), default=-1)
    texts = [m for m in known[last_user + 1 :] if m.get("type") == "assistant"]
    for message in reversed(texts):
        answer = _answer_of(message)
        if answer.text or answer.needs_input:
            return Answer(storable(answer.text), answer.needs_input)
    return Answer("")


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message whose `content` is an object, JSON of one, or JSON of that."""
    content = _unwrapped(_unwrapped(message.get("content")))
    if isinstance(content, list):
        parts = [p.get("text") for p in content if isinstance(p, Mapping)]
        return "".join(p for p in parts if isinstance(p, str))
    if isinstance(content, str) and content:
        return content
    metadata = decoded(message.get("metadata"))
    text = metadata.get("text_content") if isinstance(metadata, Mapping) else None
    return text if isinstance(text, str) else ""


def _unwrapped(value: object) -> object:
    """What a message `{role, content}` holds, also one that is encoded as a text, once or twice;
    anything else as it is, for an answer may itself be JSON, and have a `content` of its own."""
    inner = decoded(decoded(value))
    if not isinstance(inner, Mapping) or "content" not in inner:
        return value
    return inner["content"] if isinstance(value, Mapping) or "role" in inner else value


def decoded(value: object) -> object:
    """*value*, parsed when it is a text that holds a JSON object or list."""
    if isinstance(value, str) and value[:1] in ("{", "[", '"'):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return parsed if isinstance(parsed, dict | list | str) else value
    return value


def _answer_of(message: Mapping[str, Any]) -> Answer:
    text = text_of(message)
    ending = _native_ending(message) or _xml_ending(text)
    prose = _OLD_STYLE.sub("", _CALLS.sub("", text)).strip()
    if ending is None:
        return Answer(prose)
    name, said = ending
    parts = [p for p in (prose, said.strip()) if p]
    return Answer("\n\n".join(parts), needs_input=name != "complete")


def _xml_ending(text: str) -> tuple[str, str] | None:
    calls = [c for block in _CALLS.finditer(text) for c in _INVOKE.finditer(block[0])]
    if calls and calls[-1]["name"] in _ENDINGS:
        said = _PARAMETER.search(calls[-1]["body"])
        return calls[-1]["name"], said["text"] if said else ""
    old = list(_OLD_STYLE.finditer(text))
    return (old[-1]["name"], old[-1]["text"]) if old else None


def _native_ending(message: Mapping[str, Any]) -> tuple[str, str] | None:
    metadata = decoded(message.get("metadata"))
    calls = metadata.get("tool_calls") if isinstance(metadata, Mapping) else None
    if not isinstance(calls, list):
        content = decoded(message.get("content"))
        calls = content.get("tool_calls") if isinstance(content, Mapping) else None
    for call in reversed(calls if isinstance(calls, list) else []):
        if not isinstance(call, Mapping):
            continue
        function = call.get("function")
        named = function if isinstance(function, Mapping) else call
        name = named.get("function_name") or named.get("name")
        if name in _ENDINGS:
            arguments = decoded(named.get("arguments"))
            said = arguments.get("text") if isinstance(arguments, Mapping) else None
            return str(name), said if isinstance(said, str) else ""
    return None
