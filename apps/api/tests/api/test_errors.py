"""Every error is a problem document, whatever raised it and wherever."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, ClassVar

import httpx2
import pytest
from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app.api.kinds import status_of
from app.core.settings import Settings
from app.core.telemetry import Telemetry
from app.domain.agents import StartUnknown
from app.domain.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    Problem,
    RenumError,
    Unauthenticated,
    Unavailable,
    UpstreamRefused,
)
from app.main import create_app
from app.schemas.base import Request
from tests.api.conftest import client_of


class Nested(Request):
    values: dict[str, Any]


class Body(Request):
    name: str
    nested: Nested | None = None


@asynccontextmanager
async def nothing(_: Settings, __: Telemetry) -> AsyncIterator[None]:
    yield


@pytest.fixture
def app() -> FastAPI:
    """The real application with a few routes that misbehave."""
    app = create_app(
        Settings(_env_file=None, cors_origins=("https://app.example",)),
        worker=False,
        open_services=nothing,
    )
    app.add_api_route("/echo", echo, methods=["POST"])
    app.add_api_route("/echo", replace, methods=["PUT"])
    app.add_api_route("/pages", pages, methods=["GET"])
    return app


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def echo(body: Body) -> Body:
    return body


async def replace(body: Body) -> Body:
    return body


async def pages(page: Annotated[int, Query(ge=1)] = 1) -> int:
    return page


def raising(app: FastAPI, error: Exception) -> None:
    async def fail() -> None:
        raise error

    app.add_api_route("/fail", fail)


KINDS = [
    (BadRequest, 400),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (LimitReached, 429),
    (UpstreamRefused, 502),
    (Unavailable, 503),
]


@pytest.mark.parametrize(("kind", "status"), KINDS)
async def test_each_kind_has_its_status(
    app: FastAPI, api: httpx2.AsyncClient, kind: type[RenumError], status: int
) -> None:
    class Concrete(kind):
        code: ClassVar[str] = "it_happened"
        title: ClassVar[str] = "It happened"

    raising(app, Concrete("It happened to team 7."))
    answer = await api.get("/fail", headers={"X-Request-ID": "r-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/errors/it_happened",
        "title": "It happened",
        "status": status,
        "detail": "It happened to team 7.",
        "instance": "/fail",
        "code": "it_happened",
        "request_id": "r-1",
    }
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert answer.headers.get("retry-after") == ("5" if status == 503 else None)


async def test_an_invalid_value_says_where(app: FastAPI, api: httpx2.AsyncClient) -> None:
    place = Problem(("agents", 1, "agent_id"), "unknown_agent", "is unknown")
    raising(app, Invalid("One agent is unknown.", [place]))
    answer = await api.get("/fail")
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["errors"] == [
        {
            "loc": ["body", "agents", 1, "agent_id"],
            "code": "unknown_agent",
            "message": "is unknown",
        }
    ]


async def test_an_error_names_its_own_wait(app: FastAPI, api: httpx2.AsyncClient) -> None:
    class Busy(LimitReached):
        code: ClassVar[str] = "busy"
        title: ClassVar[str] = "Busy"

    error = Busy()
    error.retry_after_s = 17
    raising(app, error)
    answer = await api.get("/fail")
    assert answer.headers["retry-after"] == "17"
    assert answer.json()["detail"] == "Busy."


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("hunter2 in SELECT * FROM users"),
        StartUnknown("an error between the engine and Suna: hunter2"),
        HTTPException(418, "hunter2"),
    ],
)
async def test_what_nobody_foresaw_tells_nothing(
    app: FastAPI, api: httpx2.AsyncClient, error: Exception
) -> None:
    raising(app, error)
    answer = await api.get("/fail", headers={"Origin": "https://app.example"})
    assert answer.status_code == 500
    problem = answer.json()
    assert (problem["code"], problem["type"]) == ("internal_error", "/errors/internal_error")
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "hunter2" not in answer.text
    # The page that made the request may read this answer too.
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_an_answer_that_has_begun_is_cut(app: FastAPI, api: httpx2.AsyncClient) -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("too late")

    app.mount("/half", half)
    with pytest.raises(RuntimeError, match="too late"):
        await api.get("/half/")


@pytest.mark.parametrize(
    "path", ["/nope", "/api/v1/nope", "/api/v1/auth/login/", "/api/v1/%C3%A9%0A", "/health/"]
)
async def test_an_unknown_path(api: httpx2.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")
    assert answer.json()["instance"] == path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/echo", "POST, PUT"),
        ("GET", "/api/v1/auth/login", "POST"),
        ("PATCH", "/health", "GET"),
    ],
)
async def test_a_method_that_a_path_does_not_take(
    api: httpx2.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await api.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed
    assert answer.json()["detail"] == f"{path} takes {allowed} only."


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"name": }',
        b'{"name": "\xff"}',
        b"[" * 100_000,
        b'{"name": "x", "nested": {"values": {"n": ' + b"1" * 5000 + b"}}}",
    ],
    ids=["cut off", "no value", "not UTF-8", "too deep", "a huge number"],
)
async def test_a_body_that_is_no_json(api: httpx2.AsyncClient, content: bytes) -> None:
    answer = await api.post("/echo", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed_json")


@pytest.mark.parametrize(
    ("content", "content_type", "loc", "code"),
    [
        (b"", "application/json", ["body"], "missing"),
        (b'{"name": "x"}', "text/plain", ["body"], "model_attributes_type"),
        (b"7", "application/json", ["body"], "model_attributes_type"),
        (b"{}", "application/json", ["body", "name"], "missing"),
        (b'{"name": "x", "nmae": 1}', "application/json", ["body", "nmae"], "extra_forbidden"),
        (
            b'{"name": "x", "nested": {"values": {"a": ["\\u0000"]}}}',
            "application/json",
            ["body", "nested", "values", "a", 0],
            "nul_character",
        ),
        (
            b'{"name": "x", "nested": {"values": {"a": NaN}}}',
            "application/json",
            ["body", "nested", "values", "a"],
            "not_finite",
        ),
    ],
)
async def test_a_body_that_is_not_what_was_asked(
    api: httpx2.AsyncClient, content: bytes, content_type: str, loc: list[object], code: str
) -> None:
    answer = await api.post("/echo", content=content, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    (error,) = answer.json()["errors"]
    assert (error["loc"], error["code"]) == (loc, code)


async def test_a_key_that_is_no_text_can_still_be_named(api: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await api.post("/echo", content=b'{"name": "x", "\\ud800": 1}', headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "invalid_unicode"


async def test_the_detail_names_the_first_places(api: httpx2.AsyncClient) -> None:
    answer = await api.post("/echo", json={"a": 1, "b": 2, "c": 3, "name": "x", "d": 4})
    assert (
        answer.json()["detail"] == "Not acceptable: body.a, body.b, body.c and 1 more. See errors."
    )
    query = await api.get("/pages", params={"page": 0})
    assert query.json()["detail"] == "Not acceptable: query.page. See errors."
    assert query.json()["errors"][0]["message"] == "must be 1 or more"


def test_every_class_of_the_domain_has_a_status_or_none() -> None:
    assert {kind: status_of(kind) for kind, _ in KINDS} == dict(KINDS)
    assert status_of(StartUnknown) == 500
