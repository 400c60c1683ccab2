"""What every request and every answer go through."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import httpx2
import pytest
import structlog
from fastapi import FastAPI, WebSocket

from app.api.deps import ClientIp
from app.api.middleware import MAX_BODY_BYTES
from app.core.logging import configure_logging
from app.core.settings import Settings
from app.main import create_app
from tests.api.conftest import SignIn, client_of
from tests.api.test_errors import echo, nothing

ORIGIN = "https://app.example"


@pytest.fixture
def app() -> FastAPI:
    settings = Settings(_env_file=None, cors_origins=(ORIGIN,), trusted_proxies=("203.0.113.0/24",))
    app = create_app(settings, worker=False, open_services=nothing)
    app.add_api_route("/echo", echo, methods=["POST"])
    app.add_api_route("/items/{item}", item)
    app.add_api_route("/ip", ip)
    return app


async def item(item: int) -> int:
    return item


async def ip(client_ip: ClientIp) -> str | None:
    return client_ip


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    out = io.StringIO()
    configure_logging("INFO", for_people=False, stream=out)
    yield out
    root.handlers, root.level = before
    structlog.reset_defaults()


def ours(log: io.StringIO) -> list[dict[str, object]]:
    """Without what the test's own client and the sandbox's server say."""
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["logger"].startswith("app.")]


def requests_in(log: io.StringIO) -> list[dict[str, object]]:
    return [line for line in ours(log) if line["event"] == "request"]


# ---- request ids --------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["r-1", "A.b_c:d-9", "x" * 128])
async def test_a_good_request_id_comes_back(api: httpx2.AsyncClient, given: str) -> None:
    answer = await api.get("/health/nope", headers={"X-Request-ID": given})
    assert answer.headers.get_list("x-request-id") == [given]
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", "<script>", "a\x0b", "é"])
async def test_any_other_is_replaced(api: httpx2.AsyncClient, given: str) -> None:
    answer = await api.get("/nope", headers=[(b"X-Request-ID", given.encode("latin-1"))])
    made = answer.headers["x-request-id"]
    assert UUID(made)
    assert answer.json()["request_id"] == made


# ---- headers of answers -------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/items/1", "/items/x", "/nope", "/docs", "/openapi.json"])
async def test_every_answer_has_the_safe_headers(api: httpx2.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["strict-transport-security"] == "max-age=63072000"
    (policy,) = answer.headers.get_list("content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "cache-control" not in answer.headers


async def test_development_promises_no_https() -> None:
    settings = Settings(_env_file=None, app_env="development")
    app = create_app(settings, worker=False, open_services=nothing)
    async with client_of(app) as client:
        assert "strict-transport-security" not in (await client.get("/nope")).headers


async def test_answers_about_sessions_are_not_stored(api: httpx2.AsyncClient) -> None:
    answer = await api.get("/api/v1/auth/login")
    assert (answer.status_code, answer.headers["cache-control"]) == (405, "no-store")


async def test_cors_for_named_origins_only(api: httpx2.AsyncClient) -> None:
    asking = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-request-id",
    }
    yes = await api.options("/echo", headers={"Origin": ORIGIN, **asking})
    assert yes.status_code == 200
    assert yes.headers["access-control-allow-origin"] == ORIGIN
    for stranger in (
        "https://evil.example",
        f"{ORIGIN}.evil.example",
        "http://app.example",
        "null",
    ):
        no = await api.options("/echo", headers={"Origin": stranger, **asking})
        assert no.status_code == 400
        assert "access-control-allow-origin" not in no.headers
        answer = await api.get("/items/1", headers={"Origin": stranger})
        assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-credentials" not in yes.headers

    answer = await api.get("/items/1", headers={"Origin": ORIGIN})
    exposed = answer.headers["access-control-expose-headers"]
    assert {"X-Request-ID", "Location", "Retry-After"} <= set(exposed.split(", "))


# ---- bodies -------------------------------------------------------------------------------------


async def body_in_pieces(size: int) -> AsyncIterator[bytes]:
    yield b'{"name": "'
    for _ in range(size // 1024):
        yield b"x" * 1024
    yield b'"}'


async def test_a_body_up_to_the_limit_passes(api: httpx2.AsyncClient) -> None:
    content = b'{"name": "' + b"x" * (MAX_BODY_BYTES - 12) + b'"}'
    assert len(content) == MAX_BODY_BYTES
    headers = {"Content-Type": "application/json"}
    answer = await api.post("/echo", content=content, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("announced", [True, False])
async def test_a_larger_one_is_refused(api: httpx2.AsyncClient, announced: bool) -> None:
    content = b"x" * (MAX_BODY_BYTES + 1) if announced else body_in_pieces(MAX_BODY_BYTES)
    headers = {"Content-Type": "application/json", "X-Request-ID": "r-1"}
    answer = await api.post("/echo", content=content, headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/errors/body_too_large",
        "title": "The body is too large",
        "status": 413,
        "detail": "The body is larger than 1 MiB.",
        "instance": "/echo",
        "code": "body_too_large",
        "request_id": "r-1",
    }


# ---- the log ------------------------------------------------------------------------------------


async def test_one_line_a_request(api: httpx2.AsyncClient, log: io.StringIO) -> None:
    await api.get("/items/7?token=hunter2", headers={"X-Request-ID": "r-1"})
    await api.get("/" + "y" * 500)
    first, second = requests_in(log)
    assert first.pop("duration_ms") >= 0
    assert {name: first[name] for name in ("method", "route", "status", "request_id")} == {
        "method": "GET",
        "route": "/items/{item}",
        "status": 200,
        "request_id": "r-1",
    }
    assert (second["status"], len(second["route"])) == (404, 200)
    assert "hunter2" not in str(ours(log))


async def test_health_checks_fill_no_log(api: httpx2.AsyncClient, log: io.StringIO) -> None:
    await api.get("/health/nope")
    assert requests_in(log) == []


async def test_an_unforeseen_error_is_logged_with_its_traceback(
    app: FastAPI, api: httpx2.AsyncClient, log: io.StringIO
) -> None:
    async def fail() -> None:
        raise RuntimeError("the cause")

    app.add_api_route("/fail", fail)
    await api.get("/fail", headers={"X-Request-ID": "r-1"})
    error, request = ours(log)
    assert (error["event"], error["request_id"]) == ("unhandled error", "r-1")
    assert "RuntimeError: the cause" in error["exception"]
    assert request["status"] == 500


class TestSignedIn:
    """With the real services, so that somebody can be signed in."""

    @pytest.fixture
    async def app(self, settings: Settings) -> AsyncIterator[FastAPI]:
        app = create_app(settings, worker=False)
        async with app.router.lifespan_context(app):
            yield app

    async def test_the_log_tells_who(
        self, api: httpx2.AsyncClient, sign_in: SignIn, log: io.StringIO
    ) -> None:
        await api.get("/api/v1/auth/me", headers=await sign_in())
        login, me = requests_in(log)
        assert "user_id" not in login
        assert UUID(me["user_id"])


# ---- what else is around a request --------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarded", "seen"), [({}, "203.0.113.9"), ({"X-Forwarded-For": "1.1.1.1"}, "1.1.1.1")]
)
async def test_the_address_of_the_end_user(
    api: httpx2.AsyncClient, forwarded: dict[str, str], seen: str
) -> None:
    """The client of these tests stands within TRUSTED_PROXIES."""
    assert (await api.get("/ip", headers=forwarded)).json() == seen


async def test_sockets_get_a_request_id_too(app: FastAPI) -> None:
    seen: list[object] = []

    async def watch(socket: WebSocket) -> None:
        seen.append(socket.state.request_id)
        seen.append(structlog.contextvars.get_contextvars()["request_id"])
        await socket.close()

    app.add_api_websocket_route("/watch", watch)
    scope = {
        "type": "websocket",
        "path": "/watch",
        "headers": [(b"x-request-id", b"r-1")],
        "query_string": b"",
        "subprotocols": [],
    }

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        seen.append(message["type"])

    await app(scope, receive, send)
    assert seen == ["r-1", "r-1", "websocket.close"]
