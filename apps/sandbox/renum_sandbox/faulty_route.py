"""Routes that ask for the fault of each call first, and misbehave when there is one."""

import asyncio
from abc import ABC, abstractmethod
from typing import Final

from fastapi import HTTPException
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from renum_sandbox.context import Sandbox
from renum_sandbox.faults import Fault, Operation, require_possible
from renum_sandbox.server import abort_connection

FAULT_HEADER: Final = "X-Sandbox-Fault"
FAULT_KEY: Final = "renum_sandbox.fault"
"""Where a handler finds, in its scope, the fault that it has to act out itself."""

_FRAMES_BEFORE_THE_CUT = 2
_SLOW_FRAMES = 3


class FaultyRoute(APIRoute, ABC):
    """The tag of such a route is the operation that faults are set on."""

    @abstractmethod
    def refusal(self, fault: Fault, operation: Operation, scope: Scope) -> Response | None:
        """The answer of a fault that is one; None for those that handlers act out."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        sandbox: Sandbox = scope["app"].state.sandbox
        operation = next(o for o in Operation if o in self.tags)
        streams = operation is Operation.STREAM
        # A call with a fault of its own is not counted: a script stays right for all others.
        fault = _asked_for(scope, operation) or sandbox.faults.take(operation)
        if fault in (Fault.DROP_ANSWER, Fault.DROP_STREAM):
            await self._drop(scope, receive, send, after_frames=streams)
        elif fault in (Fault.HANG, Fault.SILENT_STREAM):
            await _hang(sandbox, scope, receive, send, with_head=streams)
        elif fault is Fault.SLOW:
            await super().handle(scope, receive, _slowly(sandbox, send))
        elif fault and (answer := self.refusal(fault, operation, scope)) is not None:
            await answer(scope, receive, send)
        else:
            scope[FAULT_KEY] = fault
            await super().handle(scope, receive, send)

    async def _drop(
        self, scope: Scope, receive: Receive, send: Send, *, after_frames: bool
    ) -> None:
        """Do the work, then close the connection; a stream is cut after its first frames."""
        left = _FRAMES_BEFORE_THE_CUT

        async def swallow(message: Message) -> None:
            nonlocal left
            if not after_frames:
                return
            for part in _by_frame(message):
                if part["type"] == "http.response.body":
                    left -= 1
                if left < 0 or not part.get("more_body", True):
                    abort_connection(scope)
                    return
                await send(part)

        await super().handle(scope, receive, swallow)
        abort_connection(scope)
        await _until_gone(receive)


def _asked_for(scope: Scope, operation: Operation) -> Fault | None:
    """The fault that the request itself asks for. Raises 400 when it makes no sense."""
    name = Headers(scope=scope).get(FAULT_HEADER)
    if name is None:
        return None
    try:
        fault = Fault(name)
        require_possible(operation, fault)
    except ValueError as error:
        raise HTTPException(400, f"{FAULT_HEADER}: {error}") from error
    return fault


def _slowly(sandbox: Sandbox, send: Send) -> Send:
    """The work is done at once, the answer comes late; so do the first frames of a stream."""
    pauses = 1 + _SLOW_FRAMES

    async def later(message: Message) -> None:
        nonlocal pauses
        for part in _by_frame(message):
            if pauses and (part["type"] == "http.response.start" or part.get("more_body")):
                pauses -= 1
                await sandbox.bell.pause(sandbox.options.slow_s)
            await send(part)

    return later


def _by_frame(message: Message) -> list[Message]:
    """A piece of a stream as one message a frame; any other message as it is."""
    body = message.get("body", b"")
    if not message.get("more_body") or not body.endswith(b"\n\n"):
        return [message]
    frames = body.removesuffix(b"\n\n").split(b"\n\n")
    return [{**message, "body": frame + b"\n\n"} for frame in frames]


async def _hang(
    sandbox: Sandbox, scope: Scope, receive: Receive, send: Send, *, with_head: bool
) -> None:
    """Say nothing until the client gives up or the server stops."""
    if with_head:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.create_task(_until_gone(receive))
    closing = asyncio.create_task(sandbox.bell.closing.wait())
    try:
        await asyncio.wait({gone, closing}, return_when=asyncio.FIRST_COMPLETED)
        abort_connection(scope)
        await gone
    finally:
        gone.cancel()
        closing.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
