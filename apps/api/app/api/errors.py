"""
Errors as the client sees them: RFC 9457, `application/problem+json`, whatever went wrong.

The domain says what happened; this module says which HTTP status that is. `type` leads to
`/errors/{code}` in our documentation, and `code` is what clients branch on.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.routing import Match

from app.api.examples.problems import EXTRAS
from app.api.kinds import (
    BodyTooLarge,
    InternalError,
    MalformedJson,
    MethodNotAllowed,
    RouteNotFound,
    internal_error,
    status_of,
)
from app.api.validation import problems_in
from app.domain.errors import Invalid, RenumError, Unauthenticated
from app.domain.rates import RateLimited

PROBLEM_JSON = "application/problem+json"

_log = structlog.get_logger(__name__)


class ProblemResponse(JSONResponse):
    media_type = PROBLEM_JSON


def answer(
    connection: HTTPConnection, error: RenumError, headers: Mapping[str, str] | None = None
) -> ProblemResponse:
    """The problem document of an error, with the headers that go with it."""
    status = status_of(type(error))
    if status == 500 and not isinstance(error, InternalError):
        _log.error("an internal error reached the API", exc_info=error)
        error = internal_error()
    body: dict[str, object] = {
        "type": f"/errors/{error.code}",
        "title": error.title,
        "status": status,
        "detail": str(error) or f"{error.title}.",
        "instance": _path(connection),
        "code": error.code,
        "request_id": getattr(connection.state, "request_id", None),
        **error.extras,
    }
    if isinstance(error, Invalid):
        body["errors"] = [
            {"loc": list(p.loc), "code": p.code, "message": p.message} for p in error.problems
        ]
    own = {}
    if isinstance(error, RateLimited):
        connection.state.allowance = error.allowance
    if isinstance(error, Unauthenticated):
        own["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        own["Retry-After"] = str(error.retry_after_s)
    return ProblemResponse(body, status, {**(headers or {}), **own})


def problem(*errors: type[RenumError]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation: what it can answer besides success, with examples."""
    documented: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        entry = documented.setdefault(status_of(error), documented_response(status_of(error)))
        entry["content"][PROBLEM_JSON]["examples"][error.code] = example(error)
    return documented


def documented_response(status: int) -> dict[str, Any]:
    """A response object of OpenAPI without examples yet."""
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {PROBLEM_JSON: {"schema": schema, "examples": {}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def example(error: type[RenumError]) -> dict[str, Any]:
    """A named example of OpenAPI, made from what the class says of itself."""
    value: dict[str, Any] = {
        "type": f"/errors/{error.code}",
        "title": error.title,
        "status": status_of(error),
        "detail": (error.__doc__ or "").strip().partition("\n")[0],
        "instance": "/api/v1/...",
        "code": error.code,
        "request_id": "0199c4f6-7d3e-7a51-9c55-0f6f3f6d2b11",
    }
    return {"summary": error.title, "value": value | EXTRAS.get(error.code, {})}


def add_error_handlers(app: FastAPI) -> None:
    """Make the application answer every error as a problem document."""
    app.add_exception_handler(RenumError, _domain_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


async def _domain_error(connection: HTTPConnection, error: Exception) -> ProblemResponse:
    assert isinstance(error, RenumError)  # noqa: S101  registered for it alone, as the next two
    if isinstance(error, Invalid):
        # The use cases know the body, not that it is one.
        error.problems = tuple(replace(p, loc=("body", *p.loc)) for p in error.problems)
    return answer(connection, error)


async def _invalid_request(connection: HTTPConnection, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = problems_in(error.errors())
    if problems and problems[0].code == MalformedJson.code:
        return answer(connection, MalformedJson("The body is not valid JSON.", problems))
    places = ", ".join(".".join(map(str, p.loc)) for p in problems[:3])
    more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
    return answer(connection, Invalid(f"Not acceptable: {places}{more}. See errors.", problems))


async def _http_error(connection: HTTPConnection, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    path = _path(connection)
    match error.status_code:
        case 404:
            return answer(connection, RouteNotFound(f"There is nothing at {path}."))
        case 405:
            allowed = ", ".join(_allowed(connection))
            refused = MethodNotAllowed(f"{path} takes {allowed} only.")
            return answer(connection, refused, {"Allow": allowed})
        case 413:
            return answer(connection, BodyTooLarge("The body is larger than 1 MiB."))
        # FastAPI's word for a body that it could not even begin to parse: not UTF-8, or nested
        # deeper than the parser goes.
        case 400:
            return answer(connection, MalformedJson("The body cannot be read as JSON.", ()))
        case status:
            _log.error("an HTTP error that nothing here raises", status=status)
            return answer(connection, internal_error())


def _allowed(connection: HTTPConnection) -> list[str]:
    """All methods of a path; Starlette would name those of the first route that matches."""
    routes = iter_route_contexts(connection.app.routes)
    # As it came in: a mount takes its own path for the root of what it holds.
    scope = dict(connection.scope)
    scope["root_path"] = scope.get("app_root_path", scope.get("root_path", ""))
    found = [r for r in routes if r.matches(scope)[0] is not Match.NONE]
    # What is mounted says nothing of methods: files, which can only be read.
    return sorted({method for r in found for method in r.methods or ("GET", "HEAD")})


def _path(connection: HTTPConnection) -> str:
    """As a URI reference. Not from `connection.url`, which a bad Host header makes unreadable."""
    return quote(connection.scope["path"], safe="/:@")
