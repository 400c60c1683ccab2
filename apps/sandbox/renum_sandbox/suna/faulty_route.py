"""Routes that ask the fault queue first, and misbehave when it says so."""

import asyncio
from typing import Final

from fastapi import HTTPException
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from renum_sandbox.context import Sandbox
from renum_sandbox.faults import Fault, Operation
from renum_sandbox.server import abort_connection
from renum_sandbox.suna import errors
from renum_sandbox.suna.dialect import Dialect

FAULT_KEY = "renum_sandbox.fault"
"""Where a handler finds, in its scope, the fault that it has to act out itself."""

_FRAMES_BEFORE_THE_CUT: Final = 2
_SOME_THREAD: Final = "5a4d0000-0000-4000-8000-00000000feed"


class FaultyRoute(APIRoute):
    """The tag of such a route is the operation that faults are set on."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        sandbox: Sandbox = scope["app"].state.sandbox
        operation = next((o for o in Operation if o in self.tags), None)
        fault = sandbox.faults.take(operation) if operation else None
        if fault is Fault.DROP_ANSWER:
            await self._drop(scope, receive, send, after_frames=operation is Operation.STREAM)
        elif fault is Fault.HANG:
            await _hang(sandbox, scope, receive, send, with_head=operation is Operation.STREAM)
        elif (refusal := _refusal(fault, scope["path"])) is not None:
            answer = JSONResponse({"detail": refusal.detail}, refusal.status_code)
            await answer(scope, receive, send)
        else:
            scope[FAULT_KEY] = fault
            await super().handle(scope, receive, send)

    async def _drop(
        self, scope: Scope, receive: Receive, send: Send, *, after_frames: bool
    ) -> None:
        """Do the work, then close the connection; a stream is cut after its first frames."""
        bodies = 0

        async def swallow(message: Message) -> None:
            nonlocal bodies
            if not after_frames:
                return
            bodies += message["type"] == "http.response.body"
            if bodies > _FRAMES_BEFORE_THE_CUT or not message.get("more_body", True):
                abort_connection(scope)
            else:
                await send(message)

        await super().handle(scope, receive, swallow)
        abort_connection(scope)
        await _until_gone(receive)


def _refusal(fault: Fault | None, path: str) -> HTTPException | None:
    """The answer of a fault that is one; None for those that handlers act out."""
    dialect = Dialect.START if path.startswith("/v1/") else Dialect.INITIATE
    match fault:
        case Fault.SERVER_ERROR:
            return HTTPException(500, "Failed to process the request: sandbox fault")
        case Fault.SHUTTING_DOWN:
            return HTTPException(503, "Server is shutting down")
        case Fault.TOO_MANY:
            return errors.run_limit(Dialect.INITIATE, [_SOME_THREAD], 1)
        case Fault.RUN_LIMIT:
            return errors.run_limit(Dialect.START, [_SOME_THREAD], 1)
        case Fault.NO_CREDITS:
            return errors.no_credits(dialect)
        case _:
            return None


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
