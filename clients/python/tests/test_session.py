"""Signing in, and keeping signed in."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from renum import (
    ApiError,
    AsyncClient,
    ConnectionFailed,
    FileTokenStore,
    MemoryTokenStore,
    NotSignedIn,
    Tokens,
    Unauthorized,
    UnexpectedAnswer,
)

from .conftest import QUICK
from .server import Server
from .world import EMAIL, PASSWORD, Fault, World


async def test_login_gives_the_user_and_keeps_the_tokens(client: AsyncClient) -> None:
    user = await client.login(EMAIL, PASSWORD)
    assert (user.name, (await client.me()).email) == ("Ana", EMAIL)
    assert client.tokens is not None
    assert client.tokens.refresh_token == "refresh-1"


async def test_a_wrong_password_is_unauthorized(client: AsyncClient) -> None:
    with pytest.raises(Unauthorized, match="password is wrong") as caught:
        await client.login(EMAIL, "x")
    assert caught.value.code == "invalid_credentials"


async def test_a_login_answer_of_something_else_is_named_so(
    client: AsyncClient, world: World
) -> None:
    world.faults["POST /auth/login"].append(Fault(200, {"ok": True}))
    with pytest.raises(UnexpectedAnswer):
        await client.login(EMAIL, PASSWORD)


async def test_without_tokens_nothing_is_sent(client: AsyncClient, world: World) -> None:
    with pytest.raises(NotSignedIn, match="not signed in to"):
        await client.teams.list()
    assert world.requests == []


async def test_many_refused_requests_share_one_refresh(
    ana: AsyncClient, server: Server, world: World
) -> None:
    server.call(world.expire)
    await asyncio.gather(*(ana.teams.list() for _ in range(10)))
    assert world.count("POST", "/auth/refresh") == 1
    assert ana.tokens is not None
    assert ana.tokens.refresh_token == "refresh-2"
    assert ana.tokens.user is not None  # the refresh answer has none


async def test_a_refused_post_is_sent_again_after_the_refresh(
    ana: AsyncClient, server: Server, world: World
) -> None:
    team = server.call(world.add_team)
    server.call(world.expire)
    await ana.teams.execute(team["id"], "Go")
    assert len(world.executions) == 1


async def test_a_token_is_renewed_before_its_end(client: AsyncClient, world: World) -> None:
    world.expires_in = 20
    await client.login(EMAIL, PASSWORD)
    world.expires_in = 3600
    await client.teams.list()
    await client.teams.list()
    assert [path for _, path in world.requests] == [
        "/auth/login",
        "/auth/refresh",
        "/teams",
        "/teams",
    ]


async def test_a_token_that_is_still_good_is_used_while_no_renewal_is_to_be_had(
    client: AsyncClient, world: World
) -> None:
    world.expires_in = 20
    await client.login(EMAIL, PASSWORD)
    world.faults["POST /auth/refresh"].append(Fault.problem(503, "auth_unavailable"))
    await client.teams.list()

    world.expires_in = -1
    await client.refresh()
    world.faults["POST /auth/refresh"].append(Fault.problem(503, "auth_unavailable"))
    with pytest.raises(ApiError) as caught:
        await client.teams.list()
    assert caught.value.status == 503


async def test_a_token_of_unknown_life_is_used_until_refused(
    client: AsyncClient, server: Server, world: World
) -> None:
    world.expires_in = None
    await client.login(EMAIL, PASSWORD)
    await client.teams.list()
    server.call(world.expire)
    await client.teams.list()
    assert world.count("POST", "/auth/refresh") == 1


async def test_a_refused_refresh_ends_the_session(
    ana: AsyncClient, server: Server, world: World
) -> None:
    server.call(world.expire)
    world.refreshes.clear()
    with pytest.raises(Unauthorized) as caught:
        await ana.teams.list()
    assert caught.value.code == "invalid_refresh_token"
    with pytest.raises(NotSignedIn):
        await ana.teams.list()


async def test_a_broken_refresh_keeps_the_tokens(
    ana: AsyncClient, server: Server, world: World
) -> None:
    server.call(world.expire)
    world.faults["POST /auth/refresh"].append(Fault(broken=True))
    with pytest.raises(ConnectionFailed):
        await ana.teams.list()
    assert (await ana.teams.list()).teams == []


async def test_a_given_token_is_used_without_renewal(
    url: str, server: Server, world: World
) -> None:
    token = server.call(world.sign_in)["access_token"]
    async with AsyncClient(url, access_token=token) as client:
        assert (await client.me()).name == "Ana"
        server.call(world.expire)
        with pytest.raises(Unauthorized, match="has ended"):
            await client.me()
        with pytest.raises(NotSignedIn):
            await client.refresh()
    assert world.count("POST", "/auth/refresh") == 0


async def test_a_cancelled_caller_does_not_lose_the_rotated_token(
    ana: AsyncClient, server: Server, world: World
) -> None:
    server.call(world.expire)
    call = asyncio.create_task(ana.teams.list())
    await asyncio.to_thread(world.until, lambda: ("GET", "/teams") in world.requests)
    await asyncio.to_thread(world.until, lambda: ("POST", "/auth/refresh") in world.requests)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (await ana.teams.list()).teams == []
    assert world.count("POST", "/auth/refresh") == 1


async def test_logout_forgets_the_tokens_even_when_the_server_fails(
    ana: AsyncClient, world: World
) -> None:
    world.faults["POST /auth/logout"].append(Fault.problem(500, "internal"))
    with pytest.raises(ApiError):
        await ana.logout()
    assert ana.tokens is None
    await ana.logout()
    assert world.count("POST", "/auth/logout") == 1


async def test_two_clients_of_one_file_spend_a_refresh_token_once(
    url: str, server: Server, world: World, tmp_path: Path
) -> None:
    first = AsyncClient(url, store=FileTokenStore(tmp_path, url), timing=QUICK)
    async with first:
        await first.login(EMAIL, PASSWORD)
        async with AsyncClient(url, store=FileTokenStore(tmp_path, url), timing=QUICK) as second:
            server.call(world.expire)
            await asyncio.gather(first.teams.list(), second.teams.list())
            assert first.tokens == second.tokens
    assert world.count("POST", "/auth/refresh") == 1


def test_the_file_is_private_and_one_per_server(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "renum"
    store = FileTokenStore(folder, "https://renum.example/base")
    assert store.load() is None
    store.save(Tokens(access_token="a", refresh_token="r"))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert json.loads(store.path.read_text())["access_token"] == "a"
    assert FileTokenStore(folder, "https://renum.example/other").load() is None
    assert [path.name for path in folder.iterdir()] == [store.path.name]

    store.path.write_text("{ half")
    assert store.load() is None
    store.save(None)
    store.save(None)
    assert list(folder.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path, "http://host")
    store.path.mkdir()  # nothing can be renamed onto a folder
    with pytest.raises(OSError, match="directory"):
        store.save(Tokens(access_token="a"))
    assert [path.name for path in tmp_path.iterdir()] == [store.path.name]


async def test_a_memory_store_is_held_by_one_at_a_time() -> None:
    store = MemoryTokenStore()
    async with store.exclusive():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), store.exclusive():
                pass
