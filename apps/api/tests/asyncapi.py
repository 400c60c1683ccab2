"""Holds every message that any test is sent to the published AsyncAPI document."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.live.asyncapi import asyncapi
from app.common.asgi import TEXTS
from app.core.settings import Settings


@cache
def document() -> dict[str, Any]:
    return asyncapi(Settings.model_construct())


@cache
def _validators(channel: str) -> dict[str, Draft202012Validator]:
    """By the `type` of what the channel sends."""
    told = document()["operations"][f"send{channel[0].upper()}{channel[1:]}"]["messages"]
    names = [message["$ref"].rpartition("/")[2] for message in told]
    # Strictly: what the document does not know must not be sent.
    components = closed(document()["components"])
    return {
        name: Draft202012Validator(
            {**components["messages"][name]["payload"], "components": components},
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        for name in names
    }


def closed(schema: Any) -> Any:
    """The same schema, and no object has fields that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        strict.setdefault("additionalProperties", False)
    return strict


class Contract:
    """Around an application: notes every message that breaks the contract."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.broken: list[str] = []
        self.seen: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            send = self._over_websocket(scope, send)
        elif scope["type"] == "http" and scope["path"].endswith("/events"):
            send = self._over_http(scope, send)
        await self._app(scope, receive, send)

    def check(self, channel: str, text: str | bytes) -> None:
        message = json.loads(text)
        self.seen.add(message["type"])
        validator = _validators(channel).get(message["type"])
        if validator is None:
            self.broken.append(f"{channel} does not send {message['type']}")
            return
        self.broken += [f"{e.message} in {text!r}" for e in validator.iter_errors(message)]

    def _over_websocket(self, scope: Scope, send: Send) -> Send:
        extension = scope.get("extensions", {}).get(TEXTS)
        if extension is not None:
            write = extension["write"]

            def checked_write(texts: list[bytes]) -> bool:
                for text in texts:
                    self.check("socket", text)
                return write(texts)

            extension["write"] = checked_write

        async def checked_send(message: Message) -> None:
            if message["type"] == "websocket.send":
                for text in message.get("texts") or [message["text"]]:
                    self.check("socket", text)
            await send(message)

        return checked_send

    def _over_http(self, scope: Scope, send: Send) -> Send:
        channel = "executionEvents" if "/executions/" in scope["path"] else "events"
        streams = False

        async def checked_send(message: Message) -> None:
            nonlocal streams
            if message["type"] == "http.response.start":
                streams = any(b"text/event-stream" in value for _, value in message["headers"])
            elif streams:
                for line in message.get("body", b"").split(b"\n"):
                    if line.startswith(b"data: "):
                        self.check(channel, line.removeprefix(b"data: "))
            await send(message)

        return checked_send
