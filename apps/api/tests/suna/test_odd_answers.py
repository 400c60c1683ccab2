"""What no Suna is known to answer, and something before it may."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import pytest

from app.common.breaker import Breaker
from app.domain.agents import RunRef, RunStatus, StartUnknown, SunaUnavailable
from app.infra.suna.credentials import ApiKey
from app.infra.suna.dialects import Dialect, DialectFinder
from app.infra.suna.executions import Execute
from app.infra.suna.http import SunaHttp
from app.infra.suna.stream import MAX_LINE, frames
from app.infra.suna.threads import Initiate, Start
from tests.supabase.server import Scripted

RUN = RunRef("thread", "run")
DIALECTS = [Initiate(), Start(optimistic=True), Execute(idempotent=True)]
each = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)


@each
@pytest.mark.parametrize(
    "body", [[], None, {}, {"message": "x"}, {"status": None}, {"status": 1}, 7]
)
async def test_an_answer_that_says_nothing_of_a_run_is_no_failure_of_it(
    http: SunaHttp, server: Scripted, dialect: Dialect, body: object
) -> None:
    server.will_answer(200, body, **{"Retry-After": "9"})
    with pytest.raises(SunaUnavailable, match="not readable"):
        await dialect.state(http, RUN)


@each
@pytest.mark.parametrize(
    ("said", "status"),
    [("queued", RunStatus.RUNNING), ("pending", RunStatus.RUNNING), ("error", RunStatus.FAILED)],
)
async def test_words_for_a_run(
    http: SunaHttp, server: Scripted, dialect: Dialect, said: str, status: RunStatus
) -> None:
    server.will_answer(200, {"status": said})
    assert (await dialect.state(http, RUN)).status is status


@each
@pytest.mark.parametrize("status", [409, 425])
async def test_a_start_that_is_under_way_already_may_have_happened(
    http: SunaHttp, server: Scripted, dialect: Dialect, status: int
) -> None:
    server.will_answer(status, {})
    with pytest.raises(StartUnknown):
        await dialect.start(http, uuid4(), "x", uuid4())


@each
async def test_a_stop_may_be_answered_with_nothing(
    http: SunaHttp, server: Scripted, dialect: Dialect
) -> None:
    server.will_say(204, "")
    await dialect.stop(http, RUN)


@each
async def test_no_connection_in_time_means_surely_not_started(dialect: Dialect) -> None:
    # A full backlog: nobody takes the connection.
    import socket

    with socket.socket() as full, socket.socket() as filler:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        filler.connect(full.getsockname())
        timeout = aiohttp.ClientTimeout(total=5, sock_connect=0.05)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            host, port = full.getsockname()
            others = [asyncio.create_task(_occupy(host, port)) for _ in range(3)]
            try:
                http = SunaHttp(session, f"http://{host}:{port}", ApiKey("k"), Breaker("suna"))
                with pytest.raises(SunaUnavailable):
                    await dialect.start(http, uuid4(), "x", uuid4())
            finally:
                for other in others:
                    other.cancel()
                await asyncio.gather(*others, return_exceptions=True)


async def _occupy(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()


async def test_lines_of_any_length_are_read_and_what_is_too_long_is_passed_over() -> None:
    parts = [
        b'data: {"n": 1}\n\n',
        b'data: {"n": "' + b"x" * (1024 * 1024) + b'"}\n\n',
        b'data: {"n": "' + b"y" * (MAX_LINE + 100_000) + b'"}\n\n',
        b"data: no json\n: a comment\n",
        b'data: {"n": 4}\n',
    ]

    class Body:
        async def iter_any(self) -> AsyncIterator[bytes]:
            whole = b"".join(parts)
            for start in range(0, len(whole), 50_000):
                yield whole[start : start + 50_000]

    seen = [frame["n"] async for frame in frames(Body())]  # type: ignore[arg-type]
    assert [n if isinstance(n, int) else len(n) for n in seen] == [1, 1024 * 1024, 4]


@pytest.mark.parametrize("path", ["", "/api", "/deep/er/api"])
async def test_the_document_stands_beside_the_base(
    http: SunaHttp, server: Scripted, path: str
) -> None:
    server.will_answer(200, {"paths": {f"{path}/agents/{{id}}/execute": {"post": {}}}})
    async with aiohttp.ClientSession() as session:
        dialect = await DialectFinder(session, server.url + path, "auto").find()
    assert dialect.name == "execute"
    assert server.asked[0].path == f"{path.rpartition('/')[0]}/openapi.json"
