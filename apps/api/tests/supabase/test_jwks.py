"""The cache of signing keys: few requests, and a memory for bad days."""

import asyncio

import aiohttp
import pytest

from app.domain.users import AuthUnavailable
from app.infra.supabase.jwks import FIRST_RETRY_S, RETRY_S, STALE_S, TTL_S, JwksCache
from tests import tokens
from tests.supabase.server import Scripted

ONE = tokens.ecdsa()
TWO = tokens.ecdsa()


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(http: aiohttp.ClientSession, server: Scripted, clock: Clock) -> JwksCache:
    return JwksCache(http, f"{server.url}/jwks", clock=clock)


def publishes(server: Scripted, *signers: tokens.Signer) -> None:
    server.answers.clear()
    server.will_answer(200, {"keys": [signer.jwk for signer in signers]})


async def test_one_request_serves_all_who_wait(cache: JwksCache, server: Scripted) -> None:
    publishes(server, ONE)
    server.go_on.clear()
    waiting = [asyncio.create_task(cache.key(ONE.kid)) for _ in range(20)]
    while not server.asked:
        await asyncio.sleep(0)
    server.go_on.set()
    keys = await asyncio.gather(*waiting)
    assert {key.key_id for key in keys if key} == {ONE.kid}
    assert len(server.asked) == 1


async def test_keys_are_asked_for_again_when_old(
    cache: JwksCache, server: Scripted, clock: Clock
) -> None:
    publishes(server, ONE)
    await cache.key(ONE.kid)
    clock.now += TTL_S
    await cache.key(ONE.kid)
    assert len(server.asked) == 1

    publishes(server, TWO)
    clock.now += 1
    assert await cache.key(ONE.kid) is None
    assert await cache.key(TWO.kid) is not None
    assert len(server.asked) == 2


async def test_a_new_key_is_found_but_a_flood_of_unknown_ones_asks_seldom(
    cache: JwksCache, server: Scripted, clock: Clock
) -> None:
    publishes(server, ONE)
    await cache.key(ONE.kid)
    publishes(server, ONE, TWO)
    assert await cache.key(TWO.kid) is None  # asked a moment ago
    clock.now += RETRY_S
    assert await cache.key(TWO.kid) is not None
    for number in range(100):
        assert await cache.key(f"made-up-{number}") is None
    assert len(server.asked) == 2


@pytest.mark.parametrize("answer", [(500, "down"), (200, "<html>"), (200, '{"no": "keys"}')])
async def test_old_keys_serve_for_a_day_while_the_endpoint_is_down(
    cache: JwksCache, server: Scripted, clock: Clock, answer: tuple[int, str]
) -> None:
    publishes(server, ONE)
    await cache.key(ONE.kid)
    server.answers.clear()
    server.will_say(*answer)

    clock.now += TTL_S + 1
    for _ in range(10):
        assert await cache.key(ONE.kid) is not None
    assert len(server.asked) == 2
    clock.now += STALE_S - TTL_S - 2
    assert await cache.key(ONE.kid) is not None
    clock.now += 2
    with pytest.raises(AuthUnavailable):
        await cache.key(ONE.kid)


async def test_without_any_key_it_says_so_and_tries_again_soon(
    cache: JwksCache, server: Scripted, clock: Clock
) -> None:
    server.will_say(503, "down")
    for _ in range(10):
        with pytest.raises(AuthUnavailable):
            await cache.key(ONE.kid)
    assert len(server.asked) == 1
    publishes(server, ONE)
    clock.now += FIRST_RETRY_S
    assert await cache.key(ONE.kid) is not None


async def test_nobody_there(http: aiohttp.ClientSession) -> None:
    cache = JwksCache(http, "http://127.0.0.1:9/jwks")
    with pytest.raises(AuthUnavailable):
        await cache.key("any")


async def test_a_caller_that_goes_away_spoils_nothing(cache: JwksCache, server: Scripted) -> None:
    publishes(server, ONE)
    server.go_on.clear()
    impatient = asyncio.create_task(cache.key(ONE.kid))
    while not server.asked:
        await asyncio.sleep(0)
    patient = asyncio.create_task(cache.key(ONE.kid))
    impatient.cancel()
    server.go_on.set()
    assert await patient is not None
