"""How Suna is asked: what is sent, what is believed, and what is told."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from structlog.contextvars import bound_contextvars

from app.common.breaker import Breaker, BreakerState
from app.domain.agents import RunLost, SunaRefused, SunaUnavailable
from app.infra.suna.credentials import ApiKey
from app.infra.suna.http import MAX_WAIT_S, SunaHttp
from tests.supabase.server import Scripted


async def test_the_key_and_our_request_s_id_are_sent(http: SunaHttp, server: Scripted) -> None:
    server.will_answer(200, {"ok": True})
    with bound_contextvars(request_id="req-1"):
        assert await http.get("agents", page=2) == {"ok": True}
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/v1/agents?page=2")
    assert asked.headers["X-API-Key"] == "pk_a:sk_b"
    assert asked.headers["X-Request-ID"] == "req-1"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_the_key_does_not_follow_a_redirect(
    http: SunaHttp, server: Scripted, status: int
) -> None:
    server.will_answer(status, {}, Location=f"{server.url}/elsewhere")
    with pytest.raises(SunaRefused, match="a redirect: set SUNA_API_URL"):
        await http.get("agents")
    with pytest.raises(SunaRefused, match="a redirect"):
        await http.health()
    assert [a.path for a in server.asked] == ["/v1/agents", "/v1/health"]


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (400, SunaRefused, "did not accept"),
        (401, SunaRefused, "check SUNA_API_KEY"),
        (402, SunaRefused, "no credit left"),
        (403, SunaRefused, "custom agents may be switched off"),
        (404, RunLost, "does not know this run"),
        (408, SunaUnavailable, "408"),
        (422, SunaRefused, "422"),
    ],
)
async def test_a_refusal_names_status_and_request_and_quotes_nothing(
    http: SunaHttp, server: Scripted, status: int, error: type[Exception], says: str
) -> None:
    body = {"detail": "Traceback: secret"}
    server.will_answer(status, body, **{"X-Request-ID": "suna-7", "Retry-After": "9"})
    with pytest.raises(error, match=says) as told:
        await http.get("agents")
    assert "(request suna-7)" in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [
        ("120", 120),
        ("999999", MAX_WAIT_S),
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("inf", MAX_WAIT_S),
        ("soon", None),
        ("", None),
        ("Thu, 01 Jan 2026 00:00:00 GMT", None),  # over: nothing is left to wait
    ],
)
async def test_what_suna_asks_to_wait(
    http: SunaHttp, server: Scripted, asked: str, wait_s: float | None
) -> None:
    server.will_answer(503, {}, **{"Retry-After": asked})
    with pytest.raises(SunaUnavailable) as told:
        await http.post("x")
    assert told.value.wait_s == wait_s


async def test_a_date_to_wait_for(http: SunaHttp, server: Scripted) -> None:
    at = datetime.now(UTC) + timedelta(minutes=10)
    server.will_answer(429, {}, **{"Retry-After": format_datetime(at, usegmt=True)})
    with pytest.raises(SunaUnavailable) as told:
        await http.get("x")
    assert 590 < (told.value.wait_s or 0) <= 600
    assert told.value.retry_after_s in (599, 600)
    assert len(server.asked) == 1, "nobody waits ten minutes for an answer"


async def test_a_caller_who_goes_away_says_nothing_of_suna(
    server: Scripted,
) -> None:
    now = 0.0
    breaker = Breaker("suna", min_failures=1, clock=lambda: now)
    async with aiohttp.ClientSession() as session:
        http = SunaHttp(session, server.url, ApiKey("k"), breaker)
        server.will_answer(500, {})
        with pytest.raises(SunaUnavailable):
            await http.post("x")
        now = 6.0
        server.go_on.clear()
        probe = asyncio.create_task(http.post("x"))
        while len(server.asked) < 2:
            await asyncio.sleep(0.005)
        with pytest.raises(SunaUnavailable, match="failed too often"):
            await http.post("x")
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        server.go_on.set()
        assert breaker.state is BreakerState.HALF_OPEN
        server.answers.clear()
        server.will_answer(200, {})
        await http.post("x")
        assert breaker.state is BreakerState.CLOSED
