"""Signing in over HTTP: against the sandbox as it is meant, against a script as it goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from app.common.breaker import Breaker, BreakerState
from app.core.settings import Settings
from app.domain.errors import RenumError
from app.domain.users import (
    AuthUnavailable,
    EmailNotConfirmed,
    InvalidCredentials,
    InvalidRefreshToken,
    InvalidToken,
    UserBanned,
)
from app.infra.supabase.auth import SupabaseAuth
from app.infra.supabase.connect import Supabase, connect
from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.supabase.server import Scripted
from tests.supabase.test_answers import SESSION

CONFLICT = {"code": 409, "error_code": "conflict", "msg": "Too many concurrent requests"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
async def supabase(sandbox: RunningSandbox) -> AsyncIterator[Supabase]:
    settings = Settings(
        _env_file=None,
        supabase_url=sandbox.url,
        supabase_anon_key=sandbox.publishable_key,
        supabase_service_key=sandbox.secret_key,
    )
    async with connect(settings) as supabase:
        yield supabase


async def sign_in(auth: SupabaseAuth, email: str = constants.ANA_EMAIL, password: str = "") -> str:
    """Log in; the refresh token."""
    session = await auth.login(
        email, password or constants.DEMO_PASSWORD, captcha_token=None, client_ip=None
    )
    return session.refresh_token


async def test_login_gives_a_session_whose_token_holds(supabase: Supabase) -> None:
    session = await supabase.identity.login(
        constants.ANA_EMAIL,
        constants.DEMO_PASSWORD,
        captcha_token=None,
        client_ip="203.0.113.9",
    )
    assert (session.user.name, session.user.email) == ("Ana Souza", constants.ANA_EMAIL)
    assert session.expires_in == 3600
    identity = await supabase.tokens.verify(session.access_token)
    assert identity.user == session.user
    assert int(identity.expires_at.timestamp()) == session.expires_at


@pytest.mark.parametrize(
    ("email", "password", "error"),
    [
        (constants.ANA_EMAIL, "wrong", InvalidCredentials),
        ("nobody@renum.example", "wrong", InvalidCredentials),
        (constants.UNCONFIRMED_EMAIL, constants.DEMO_PASSWORD, EmailNotConfirmed),
        (constants.BANNED_EMAIL, constants.DEMO_PASSWORD, UserBanned),
    ],
)
async def test_who_may_not_come_in(
    supabase: Supabase, email: str, password: str, error: type[RenumError]
) -> None:
    with pytest.raises(error):
        await sign_in(supabase.identity, email, password)


async def test_refresh_rotates_and_forgives_a_lost_answer(supabase: Supabase) -> None:
    first = await sign_in(supabase.identity)
    second = await supabase.identity.refresh(first, client_ip=None)
    assert second.refresh_token != first
    again = await supabase.identity.refresh(first, client_ip=None)
    assert again.refresh_token == second.refresh_token


async def test_an_unknown_refresh_token(supabase: Supabase) -> None:
    with pytest.raises(InvalidRefreshToken):
        await supabase.identity.refresh("abcdefghijkl", client_ip=None)


async def test_logout_ends_this_session_and_may_be_repeated(supabase: Supabase) -> None:
    auth = supabase.identity
    here = await auth.login(
        constants.BRUNO_EMAIL, constants.DEMO_PASSWORD, captcha_token=None, client_ip=None
    )
    elsewhere = await sign_in(auth, constants.BRUNO_EMAIL)
    await auth.logout(here.access_token)
    await auth.logout(here.access_token)
    with pytest.raises(InvalidRefreshToken):
        await auth.refresh(here.refresh_token, client_ip=None)
    await auth.refresh(elsewhere, client_ip=None)


async def test_health(supabase: Supabase) -> None:
    await supabase.identity.health()


async def test_a_token_of_another_project(supabase: Supabase, tmp_path: object) -> None:
    with running_sandbox() as other:
        settings = Settings(
            _env_file=None, supabase_url=other.url, supabase_anon_key=other.publishable_key
        )
        async with connect(settings) as theirs:
            session = await theirs.identity.login(
                constants.ANA_EMAIL, constants.DEMO_PASSWORD, captcha_token=None, client_ip=None
            )
    with pytest.raises(InvalidToken):
        await supabase.tokens.verify(session.access_token)


async def test_an_api_key_that_is_not_taken_is_our_fault(sandbox: RunningSandbox) -> None:
    settings = Settings(_env_file=None, supabase_url=sandbox.url, supabase_anon_key="wrong")
    async with connect(settings) as supabase:
        with pytest.raises(AuthUnavailable, match="401"):
            await sign_in(supabase.identity)
        with pytest.raises(AuthUnavailable, match="401"):
            await supabase.identity.logout("a.b.c")
        with pytest.raises(AuthUnavailable, match="401"):
            await supabase.identity.health()


# ---- against a script ---------------------------------------------------------------------------


@pytest.fixture
def auth(http: aiohttp.ClientSession, server: Scripted) -> SupabaseAuth:
    return SupabaseAuth(
        http, f"{server.url}/auth/v1", "sb_secret_abc", Breaker("supabase"), conflict_pause_s=0.0
    )


async def test_what_is_sent(auth: SupabaseAuth, server: Scripted) -> None:
    server.will_answer(200, SESSION)
    await auth.login("a@b.example", "hunter2", captcha_token="solved", client_ip="203.0.113.9")
    await auth.refresh("abcdefghijkl", client_ip=None)
    login, refresh = server.asked
    assert (login.method, login.path) == ("POST", "/auth/v1/token?grant_type=password")
    assert login.body == {
        "email": "a@b.example",
        "password": "hunter2",
        "gotrue_meta_security": {"captcha_token": "solved"},
    }
    assert login.headers["apikey"] == "sb_secret_abc"
    assert login.headers["Sb-Forwarded-For"] == "203.0.113.9"
    assert "Authorization" not in login.headers  # Supabase refuses its keys there
    assert refresh.path == "/auth/v1/token?grant_type=refresh_token"
    assert refresh.body == {"refresh_token": "abcdefghijkl"}
    assert "Sb-Forwarded-For" not in refresh.headers


async def test_other_keys_may_not_speak_for_an_address(
    http: aiohttp.ClientSession, server: Scripted
) -> None:
    server.will_answer(200, SESSION)
    auth = SupabaseAuth(http, server.url, "sb_publishable_abc", Breaker("supabase"))
    await auth.login("a@b.example", "x", captcha_token=None, client_ip="203.0.113.9")
    assert "Sb-Forwarded-For" not in server.asked[0].headers


async def test_refreshes_with_one_token_share_one_request(
    auth: SupabaseAuth, server: Scripted
) -> None:
    server.will_answer(200, SESSION)
    server.go_on.clear()
    waiting = [asyncio.create_task(auth.refresh("abcdefghijkl", client_ip=None)) for _ in range(10)]
    other = asyncio.create_task(auth.refresh("mnopqrstuvwx", client_ip=None))
    while len(server.asked) < 2:
        await asyncio.sleep(0)
    waiting.pop(0).cancel()  # the one that asked goes away
    server.go_on.set()
    sessions = await asyncio.gather(*waiting, other)
    assert {session.refresh_token for session in sessions} == {"abcdefghijkl"}
    assert len(server.asked) == 2

    await auth.refresh("abcdefghijkl", client_ip=None)
    assert len(server.asked) == 3


async def test_a_failed_refresh_fails_for_all_and_is_forgotten(
    auth: SupabaseAuth, server: Scripted
) -> None:
    server.will_answer(400, {"error_code": "refresh_token_already_used"})
    server.will_answer(200, SESSION)
    first, second = await asyncio.gather(
        auth.refresh("abcdefghijkl", client_ip=None),
        auth.refresh("abcdefghijkl", client_ip=None),
        return_exceptions=True,
    )
    assert isinstance(first, InvalidRefreshToken)
    assert isinstance(second, InvalidRefreshToken)
    await auth.refresh("abcdefghijkl", client_ip=None)


async def test_a_failure_that_nobody_waits_for_is_no_noise(
    auth: SupabaseAuth, server: Scripted
) -> None:
    server.will_answer(500, None)
    server.go_on.clear()
    alone = asyncio.create_task(auth.refresh("abcdefghijkl", client_ip=None))
    while not server.asked:
        await asyncio.sleep(0)
    alone.cancel()
    server.go_on.set()
    with pytest.raises(AuthUnavailable):
        await auth.refresh("abcdefghijkl", client_ip=None)


async def test_a_conflict_is_tried_once_more(auth: SupabaseAuth, server: Scripted) -> None:
    server.will_answer(409, CONFLICT)
    server.will_answer(200, SESSION)
    session = await auth.refresh("abcdefghijkl", client_ip=None)
    assert session.refresh_token == SESSION["refresh_token"]
    assert len(server.asked) == 2


async def test_a_second_conflict_is_an_outage_of_a_second(
    auth: SupabaseAuth, server: Scripted
) -> None:
    server.will_answer(409, CONFLICT)
    with pytest.raises(AuthUnavailable) as caught:
        await auth.refresh("abcdefghijkl", client_ip=None)
    assert caught.value.retry_after_s == 1
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (500, '{"code": 500, "error_code": "unexpected_failure", "msg": "?"}'),
        (522, "<html>connection timed out</html>"),
        (200, "<html>a captive portal</html>"),
        (200, '{"access_token": "a.b.c"}'),
        (400, '{"code": 400, "error_code": "from_the_future", "msg": "secret detail"}'),
        (302, ""),
    ],
)
async def test_an_outage_is_told_apart_from_a_refusal(
    auth: SupabaseAuth, server: Scripted, status: int, text: str
) -> None:
    server.will_say(status, text)
    with pytest.raises(AuthUnavailable) as caught:
        await auth.login("a@b.example", "x", captcha_token=None, client_ip=None)
    assert "secret detail" not in str(caught.value)


async def test_nobody_there(http: aiohttp.ClientSession) -> None:
    auth = SupabaseAuth(http, "http://127.0.0.1:9/auth/v1", "key", Breaker("supabase"))
    with pytest.raises(AuthUnavailable, match="ClientConnectorError"):
        await auth.login("a@b.example", "x", captcha_token=None, client_ip=None)


async def test_silence_is_an_outage(server: Scripted) -> None:
    server.will_answer(200, SESSION)
    server.go_on.clear()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as http:
        auth = SupabaseAuth(http, server.url, "key", Breaker("supabase"))
        with pytest.raises(AuthUnavailable, match="Timeout"):
            await auth.login("a@b.example", "x", captcha_token=None, client_ip=None)
    server.go_on.set()


async def test_after_some_failures_it_is_left_alone_and_health_still_looks(
    auth: SupabaseAuth, server: Scripted
) -> None:
    server.will_answer(503, {})
    for _ in range(5):
        with pytest.raises(AuthUnavailable, match="503"):
            await auth.login("a@b.example", "x", captcha_token=None, client_ip=None)
    assert auth.breaker is BreakerState.OPEN
    asked = len(server.asked)
    with pytest.raises(AuthUnavailable, match="failed too often") as refused:
        await auth.refresh("abcdefghijkl", client_ip=None)
    assert 1 <= (refused.value.retry_after_s or 0) <= 5
    assert len(server.asked) == asked, "nothing was sent"
    with pytest.raises(AuthUnavailable, match="503"):
        await auth.health()


async def test_refusals_do_not_open_the_breaker(auth: SupabaseAuth, server: Scripted) -> None:
    server.will_answer(400, {"code": 400, "error_code": "invalid_credentials", "msg": "no"})
    for _ in range(10):
        with pytest.raises(InvalidCredentials):
            await auth.login("a@b.example", "x", captcha_token=None, client_ip=None)
    assert auth.breaker is BreakerState.CLOSED
