"""Single connections that ask for what a server must answer in one certain way."""

import json
from collections.abc import AsyncIterator

from renum.conformance.checks import Check
from renum.conformance.recording import Message
from renum.session import Session
from renum.websocket import Dropped, Socket, open_socket

_ANSWER_S = 10.0
_FAR_BEYOND = 2**62


async def probe(session: Session) -> AsyncIterator[Check]:
    """The answers to a bad token, an id from nowhere, nonsense and a ping."""
    token = await session.access_token()
    yield await _bad_token(session)
    yield await _unknown_id(session, token)
    yield await _nonsense(session, token)


async def _bad_token(session: Session) -> Check:
    name = "a bad token closes with 4401"
    try:
        async with open_socket(session.http, token="nonsense", after=None) as socket:  # noqa: S106
            while True:
                told = json.loads(await socket.receive_text(timeout_s=_ANSWER_S))
                if told.get("type") == "connected":
                    return Check(name, ("it was let in",))
    except Dropped as drop:
        how = drop.code or drop.status
        return Check(name, () if drop.code == 4401 else (f"it ended with {how}: {drop}",))


async def _unknown_id(session: Session, token: str) -> Check:
    name = "an id from nowhere is answered with resync_required, and the stream goes on"
    try:
        async with open_socket(session.http, token=token, after=_FAR_BEYOND) as socket:
            error = await _next(socket)
            if error["type"] != "error" or error["data"].get("code") != "resync_required":
                return Check(name, (f"the first message was {json.dumps(error)[:200]}",))
            if not isinstance(error["data"].get("oldest_event_id"), int):
                return Check(name, ("the error does not name oldest_event_id",))
            greeting = await _next(socket)
            if greeting["type"] != "connected":
                return Check(name, (f"then came {greeting['type']} in place of connected",))
    except Dropped as drop:
        return Check(name, (f"the connection ended: {drop}",))
    return Check(name)


async def _nonsense(session: Session, token: str) -> Check:
    name = "nonsense is answered with an error, and the connection lives"
    try:
        async with open_socket(session.http, token=token, after=None) as socket:
            await socket.send_text("nonsense")
            error = await _until(socket, "error")
            if error["data"].get("code") != "malformed_message":
                return Check(name, (f"the error's code is {error['data'].get('code')!r}",))
            await socket.send_text('{"type": "ping"}')
            await _until(socket, "pong")
    except Dropped as drop:
        return Check(name, (f"the connection ended: {drop}",))
    return Check(name)


async def _next(socket: Socket) -> Message:
    message: Message = json.loads(await socket.receive_text(timeout_s=_ANSWER_S))
    return message


async def _until(socket: Socket, type_: str) -> Message:
    while True:
        message = await _next(socket)
        if message["type"] == type_:
            return message
