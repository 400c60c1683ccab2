"""The event stream: what it yields when connections come and go."""

import asyncio
from collections.abc import Callable

import pytest

from renum import (
    ApiError,
    AsyncClient,
    ConnectionState,
    Event,
    EventStream,
    NotSignedIn,
    Timing,
    Unauthorized,
)

from .conftest import QUICK
from .server import Proxy, Server
from .world import EMAIL, PASSWORD, Fault, World


async def until(world: World, holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(world.until, holds)


async def take(stream: EventStream, count: int) -> list[Event]:
    """The next events, greetings left out."""
    found: list[Event] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            event = await anext(stream)
            if event.type != "connected":
                found.append(event)
    return found


def ids(events: list[Event]) -> list[int | None]:
    return [event.id for event in events]


async def test_it_begins_with_a_greeting_and_goes_on_live(
    ana: AsyncClient, server: Server, world: World
) -> None:
    server.call(world.emit, "team_updated", name="old")
    async with ana.events() as stream:
        greeting = await anext(stream)
        assert (greeting.type, greeting.data["last_event_id"]) == ("connected", 1)
        server.call(world.emit, "team_updated", name="new")
        server.call(world.say, "agent_output", text="hi")
        event, chunk = await take(stream, 2)
    assert (event.id, event.data["name"]) == (2, "new")
    assert (chunk.type, chunk.id) == ("agent_output", None)
    assert event.timestamp is not None


async def test_it_resumes_after_the_given_event(
    ana: AsyncClient, server: Server, world: World
) -> None:
    for _ in range(5):
        server.call(world.emit, "team_updated")
    async with ana.events(after=2) as stream:
        assert ids(await take(stream, 3)) == [3, 4, 5]


async def test_nothing_is_lost_or_twice_over_many_drops(
    ana: AsyncClient, server: Server, world: World
) -> None:
    states: list[ConnectionState] = []
    async with ana.events(after=0, on_state=states.append) as stream:
        await until(world, lambda: len(world.sockets) == 1)
        for code in (1012, 1013, 1011, 1006, 4429):
            server.call(world.emit, "team_updated")
            server.call(world.drop, 1000 if code == 1006 else code)
            server.call(world.emit, "team_updated")
        assert ids(await take(stream, 10)) == list(range(1, 11))
    assert states[0].phase == "connecting"
    again = [state for state in states if state.phase == "reconnecting"]
    assert again
    assert "1012" in (again[0].reason or "")


async def test_a_broken_line_is_taken_up_again(server: Server, world: World, proxy: Proxy) -> None:
    states: list[ConnectionState] = []
    async with AsyncClient(server.url(world, proxy.port), timing=QUICK) as client:
        await client.login(EMAIL, PASSWORD)
        stream = client.events(on_state=states.append)
        assert (await anext(stream)).type == "connected"
        await proxy.close()
        server.call(world.emit, "team_updated")
        while not any("cannot connect" in (state.reason or "") for state in states):
            await asyncio.sleep(0.001)
        await proxy.open()
        assert ids(await take(stream, 1)) == [1]
    assert world.past_sockets[-1].after == 0


async def test_repeated_events_are_dropped(ana: AsyncClient, server: Server, world: World) -> None:
    async with ana.events() as stream:
        await anext(stream)
        first = server.call(world.emit, "team_updated")
        server.call(world.send, first)
        server.call(world.emit, "team_updated")
        assert ids(await take(stream, 2)) == [1, 2]


async def test_silence_is_a_dead_connection(ana: AsyncClient, server: Server, world: World) -> None:
    world.heartbeat_s = 0.02
    states: list[ConnectionState] = []
    async with ana.events(on_state=states.append) as stream:
        await anext(stream)
        await until(world, lambda: len(world.past_sockets) > 1)
        world.heartbeat_s = 20
        server.call(world.drop)
        await until(world, lambda: len(world.past_sockets) > 2)
        server.call(world.emit, "team_updated")
        assert ids(await take(stream, 1)) == [1]
    assert any("nothing heard" in (state.reason or "") for state in states)


async def test_a_server_that_never_greets_is_left(url: str, server: Server, world: World) -> None:
    world.mute = True
    async with AsyncClient(url, timing=Timing(greeting_s=0.01, reconnect_base_s=0.001)) as client:
        await client.login(EMAIL, PASSWORD)
        async with client.events():
            await until(world, lambda: len(world.past_sockets) > 1)


async def test_heartbeats_are_not_yielded_but_tell_of_a_lost_event(
    ana: AsyncClient, server: Server, world: World
) -> None:
    async with ana.events() as stream:
        await anext(stream)
        server.call(world.emit, "team_updated")
        server.call(world.say, "heartbeat", last_event_id=1)
        server.call(world.events.append, {"type": "team_updated", "data": {}, "id": 2})
        server.call(world.say, "heartbeat", last_event_id=2)
        server.call(world.say, "heartbeat", last_event_id=2)
        assert ids(await take(stream, 2)) == [1, 2]
    assert world.past_sockets[-1].after == 1


async def test_too_old_a_place_is_told_and_the_stream_goes_live(
    ana: AsyncClient, server: Server, world: World
) -> None:
    for _ in range(5):
        server.call(world.emit, "team_updated")
    world.kept_from = 4
    async with ana.events(after=1) as stream:
        (notice,) = await take(stream, 1)
        assert (notice.type, notice.data["code"]) == ("error", "resync_required")
        server.call(world.drop)
        await until(world, lambda: len(world.past_sockets) > 1)
        server.call(world.emit, "team_updated")
        assert ids(await take(stream, 1)) == [6]


async def test_a_server_with_a_new_history_is_followed_from_its_head(
    ana: AsyncClient, server: Server, world: World
) -> None:
    async with ana.events(after=100) as stream:
        await anext(stream)
        server.call(world.emit, "team_updated")
        assert ids(await take(stream, 1)) == [1]


async def test_the_token_is_renewed_on_the_same_connection(
    ana: AsyncClient, server: Server, world: World
) -> None:
    async with ana.events() as stream:
        await anext(stream)
        server.call(world.say, "token_expiring", expires_in=60)
        await until(world, lambda: bool(world.sockets[0].received))
        assert world.sockets[0].received == [
            {"type": "authenticate", "data": {"token": "access-2"}}
        ]
        server.call(world.say, "authenticated")
        # A server whose tokens live too briefly asks again at once: that must not go in circles.
        server.call(world.say, "token_expiring")
        server.call(world.emit, "team_updated")
        assert ids(await take(stream, 1)) == [1]
    assert len(world.past_sockets) == 1
    assert world.count("POST", "/auth/refresh") == 1


async def test_a_renewal_that_fails_leaves_the_stream_as_it_is(
    ana: AsyncClient, server: Server, world: World
) -> None:
    world.faults["POST /auth/refresh"].append(Fault(broken=True))
    async with ana.events() as stream:
        await anext(stream)
        server.call(world.say, "token_expiring")
        server.call(world.emit, "team_updated")
        assert ids(await take(stream, 1)) == [1]
    assert len(world.past_sockets) == 1


async def test_an_ended_token_is_renewed_and_the_stream_resumed(
    ana: AsyncClient, server: Server, world: World
) -> None:
    async with ana.events() as stream:
        await anext(stream)
        server.call(world.emit, "team_updated")
        server.call(world.expire)
        server.call(world.drop, 4401)
        server.call(world.emit, "team_updated")
        assert ids(await take(stream, 2)) == [1, 2]
    assert world.past_sockets[-1].token == "access-2"


async def test_a_token_refused_at_the_handshake_is_renewed(
    ana: AsyncClient, server: Server, world: World
) -> None:
    server.call(world.expire)
    world.faults["POST /auth/refresh"].append(Fault(broken=True))  # tried again
    async with ana.events() as stream:
        assert (await anext(stream)).type == "connected"


async def test_a_session_that_cannot_be_renewed_ends_the_stream(
    ana: AsyncClient, server: Server, world: World
) -> None:
    server.call(world.expire)
    world.refreshes.clear()
    with pytest.raises(Unauthorized):
        await anext(ana.events())


async def test_a_new_token_that_is_refused_too_ends_the_stream(
    ana: AsyncClient, world: World
) -> None:
    world.close_with += [4401, 4401]
    stream = ana.events()
    with pytest.raises(Unauthorized, match="4401") as caught:
        await anext(stream)
    assert caught.value.code == "unauthenticated"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_nobody_signed_in_has_no_events(client: AsyncClient) -> None:
    with pytest.raises(NotSignedIn):
        await anext(client.events())


@pytest.mark.parametrize("status", [404, 403])
async def test_a_refused_handshake_ends_the_stream(
    ana: AsyncClient, world: World, status: int
) -> None:
    world.handshake = status
    with pytest.raises(ApiError, match=f"refused the event stream .{status}.") as caught:
        await anext(ana.events())
    assert caught.value.status == status


async def test_a_passing_refusal_does_not(ana: AsyncClient, world: World) -> None:
    world.handshake = 503
    states: list[ConnectionState] = []
    async with ana.events(on_state=states.append) as stream:
        while not any("(503)" in (state.reason or "") for state in states):
            await asyncio.sleep(0.001)
        world.handshake = None
        assert (await anext(stream)).type == "connected"


async def test_an_unreadable_message_costs_a_reconnection(
    ana: AsyncClient, server: Server, world: World
) -> None:
    async with ana.events() as stream:
        await anext(stream)
        server.call(world.send, {"raw": "{ half"})
        await until(world, lambda: len(world.past_sockets) > 1)
        server.call(world.emit, "team_updated")
        assert ids(await take(stream, 1)) == [1]


async def test_whole_outputs_fit(ana: AsyncClient, server: Server, world: World) -> None:
    async with ana.events() as stream:
        await anext(stream)
        server.call(world.emit, "agent_completed", output="x" * 300_000)
        (event,) = await take(stream, 1)
    assert len(event.data["output"]) == 300_000


async def test_closing_the_client_ends_its_streams(url: str, world: World) -> None:
    client = AsyncClient(url, timing=QUICK)
    await client.login(EMAIL, PASSWORD)
    stream = client.events()
    await anext(stream)
    waiting = asyncio.create_task(take(stream, 1))
    await asyncio.sleep(0)
    await client.aclose()
    with pytest.raises(StopAsyncIteration):
        await waiting
    await until(world, lambda: not world.sockets)
    assert [event async for event in stream] == []


async def test_a_failing_callback_reaches_the_iteration(ana: AsyncClient) -> None:
    def fail(state: ConnectionState) -> None:
        raise LookupError(state.phase)

    with pytest.raises(LookupError, match="connecting"):
        await anext(ana.events(on_state=fail))
