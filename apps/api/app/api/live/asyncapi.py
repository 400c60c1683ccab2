"""
The AsyncAPI 3 document of the live stream (asyncapi.com, specification 3.0.0).

Made from the classes that are sent and read, so that it cannot say anything else than they do.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from app import __version__
from app.core.settings import Settings
from app.domain import events
from app.schemas import live

_REF = "#/components/schemas/{model}"
_DESCRIPTION = """\
Everything that happens to a user's teams, executions and notifications, as it happens.

Events have an `id`: per user they rise by one, without a gap, in the order in which they were
committed. Keep the last one; with it you get exactly what you missed, over the WebSocket and as
server-sent events alike. Messages without an `id` are told and not stored.
"""
_EVENTS = get_args(events.Event)
_SAID = (
    live.Connected,
    live.Heartbeat,
    live.Subscribed,
    live.ExecutionSnapshot,
    live.AgentOutput,
    live.TokenExpiring,
    live.Authenticated,
    live.Pong,
    live.StreamError,
)
_SAID_OVER_HTTP = (
    live.Connected,
    live.Heartbeat,
    live.AgentOutput,
    live.TokenExpiring,
    live.StreamEnd,
)
_READ = get_args(live.ClientMessage)


@dataclass(frozen=True, slots=True)
class _Channel:
    address: str
    description: str
    sends: tuple[type, ...]
    reads: tuple[type, ...] = ()


def asyncapi(settings: Settings) -> dict[str, Any]:
    """The document, as JSON data."""
    prefix = settings.api_prefix
    channels = {
        "socket": _Channel(
            f"{prefix}/ws",
            "The WebSocket. Sign in with the header `Authorization: Bearer`, with the subprotocols "
            "`renum.v1, bearer.TOKEN`, or with the first message, `authenticate`. The query "
            "parameter `last_event_id` resumes.",
            (*_EVENTS, *_SAID),
            _READ,
        ),
        "events": _Channel(
            f"{prefix}/events",
            "The same as server-sent events: each message is the `data` of one, its `id` the `id`. "
            "The header `Last-Event-ID` or the query parameter `after` resumes.",
            (*_EVENTS, *_SAID_OVER_HTTP),
        ),
        "executionEvents": _Channel(
            f"{prefix}/executions/{{execution_id}}/events",
            "One execution as server-sent events, from its first event to `stream_end`.",
            (*get_args(events.ExecutionEvent), *_SAID_OVER_HTTP),
        ),
    }
    schemas: dict[str, Any] = {}
    messages = {_name(c): _message(c, schemas) for c in (*_EVENTS, *_SAID, live.StreamEnd, *_READ)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Renum live stream",
            "version": __version__,
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(channel) for name, channel in channels.items()},
        "operations": dict(_operations(channels)),
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def _channel(channel: _Channel) -> dict[str, Any]:
    described: dict[str, Any] = {
        "address": channel.address,
        "description": channel.description,
        "messages": {
            _name(c): {"$ref": f"#/components/messages/{_name(c)}"}
            for c in (*channel.sends, *channel.reads)
        },
    }
    if "{execution_id}" in channel.address:
        described["parameters"] = {"execution_id": {"description": "Of the caller's executions."}}
    return described


def _operations(channels: dict[str, _Channel]) -> Iterable[tuple[str, dict[str, Any]]]:
    """From where we stand: `send` is what a client is told."""
    for name, channel in channels.items():
        for action, classes in (("send", channel.sends), ("receive", channel.reads)):
            if classes:
                yield (
                    f"{action}{name[0].upper()}{name[1:]}",
                    {
                        "action": action,
                        "channel": {"$ref": f"#/channels/{name}"},
                        "messages": [
                            {"$ref": f"#/channels/{name}/messages/{_name(c)}"} for c in classes
                        ],
                    },
                )


def _name(message: type) -> str:
    """Its `type` on the wire."""
    if message in _EVENTS:
        name: str = message.event_type  # type: ignore[attr-defined]
    elif issubclass(message, live.Said):
        name = message.message_type
    else:
        (name,) = get_args(message.__annotations__["type"])
    return name


def _message(message: type, schemas: dict[str, Any]) -> dict[str, Any]:
    if message in _READ:
        payload = _schema(message, "validation", schemas)
    else:
        properties: dict[str, Any] = {"type": {"const": _name(message)}}
        if message in _EVENTS:
            properties["id"] = {
                "type": "integer",
                "minimum": 1,
                "description": "Gap-free per user.",
            }
        properties["timestamp"] = {"type": "string", "format": "date-time"}
        properties["data"] = _schema(message, "serialization", schemas)
        payload = {"type": "object", "required": list(properties), "properties": properties}
    said = (inspect.getdoc(message) or "").partition("\n")[0]
    return {"name": _name(message), "summary": said, "payload": payload}


def _schema(of: type, mode: JsonSchemaMode, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a class, which with its parts is added to *schemas*."""
    schema = TypeAdapter(of).json_schema(ref_template=_REF, mode=mode)
    schemas.update(schema.pop("$defs", {}))
    schemas[of.__name__] = schema
    return {"$ref": _REF.format(model=of.__name__)}
