"""The faults that are a refusal: Suna's own, and those of a proxy before it."""

from typing import Final

from fastapi import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from renum_sandbox.faults import Fault, Operation
from renum_sandbox.faulty_route import FaultyRoute
from renum_sandbox.suna import errors
from renum_sandbox.suna.dialect import Dialect

BAD_GATEWAY_PAGE: Final = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
    "</body>\r\n</html>\r\n"
)
_SOME_THREAD = "5a4d0000-0000-4000-8000-00000000feed"
_AT_ONCE = {"Retry-After": "1"}


class SunaRoute(FaultyRoute):
    def refusal(self, fault: Fault, operation: Operation, scope: Scope) -> Response | None:
        dialect = Dialect.of_path(scope["path"])
        if fault is Fault.BAD_GATEWAY:
            return Response(BAD_GATEWAY_PAGE, 502, media_type="text/html")
        if fault is Fault.GARBAGE:
            return _garbage(streams=operation is Operation.STREAM)
        error = _error(fault, operation, dialect)
        if error is None:
            return None
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _garbage(*, streams: bool) -> Response:
    """Success, and a body that is cut short: no JSON, whatever the type says."""
    body = '{"id": "5a4d0000-0000-4000'
    if streams:
        return Response(f"data: {body}\n\n", media_type="text/event-stream")
    return Response(body, media_type="application/json")


def _error(fault: Fault, operation: Operation, dialect: Dialect) -> HTTPException | None:
    match fault:
        case Fault.UNAUTHENTICATED:
            return errors.unauthenticated("Invalid API key")
        case Fault.RUN_LIMIT:
            return errors.run_limit(Dialect.START, [_SOME_THREAD], 1)
        case Fault.TOO_MANY:
            return errors.run_limit(Dialect.INITIATE, [_SOME_THREAD], 1)
        case Fault.RETRY_AFTER:
            return HTTPException(429, "Too many requests", _AT_ONCE)
        case Fault.NO_CREDITS:
            return errors.no_credits(dialect)
        case Fault.THREAD_LIMIT:
            return errors.thread_limit()
        case Fault.NO_MODEL:
            return errors.model_denied(dialect)
        case Fault.FORBIDDEN:
            return errors.agents_disabled() if operation is Operation.AGENTS else errors.denied()
        # On a start it is the run that will be unknown.
        case Fault.NOT_FOUND if operation is not Operation.START:
            return _not_found(operation, dialect)
        case Fault.INVALID:
            where = {"loc": ["body"], "msg": "Field required", "type": "missing"}
            return HTTPException(422, [where])
        case Fault.SERVER_ERROR:
            return HTTPException(500, "Failed to process the request: sandbox fault")
        case Fault.SHUTTING_DOWN:
            return HTTPException(503, "Server is shutting down")
        case Fault.SHUTTING_DOWN_RETRY_AFTER:
            return HTTPException(503, "Server is shutting down", _AT_ONCE)
        case _:
            return None


def _not_found(operation: Operation, dialect: Dialect) -> HTTPException:
    if operation is Operation.AGENTS:
        return errors.agent_not_found(dialect)
    if operation in (Operation.MESSAGES, Operation.RUNS):
        return errors.thread_not_found()
    return errors.run_not_found(dialect)
