"""Watching one execution to its end."""

import asyncio

import pytest

from renum import AsyncClient, ConnectionFailed, Event, Execution, NotFound, Timing, Unauthorized

from .conftest import QUICK
from .server import Proxy, Server
from .world import EMAIL, PASSWORD, Fault, World, complete, idle


async def start(ana: AsyncClient, server: Server, world: World) -> str:
    team = server.call(world.add_team)
    return (await ana.teams.execute(team["id"], "Go")).execution_id


async def test_a_run_is_followed_to_its_final_snapshot(
    ana: AsyncClient, server: Server, world: World
) -> None:
    gate = asyncio.Event()

    async def play(run):
        await gate.wait()
        await complete(run)

    world.play = play
    run_id = await start(ana, server, world)
    events: list[Event] = []
    snapshots: list[Execution] = []

    def on_snapshot(snapshot: Execution) -> None:
        snapshots.append(snapshot)
        if len(snapshots) == 2:  # the second is read when the stream is connected
            server.call(gate.set)

    final = await ana.watch(run_id, on_event=events.append, on_snapshot=on_snapshot)

    assert final.status == "completed"
    assert [result.status for result in final.results] == ["completed"] * 3
    kinds = [event.type for event in events]
    assert kinds.count("agent_started") == kinds.count("agent_completed") == 3
    assert kinds[-1] == "execution_status_update"
    assert snapshots[-1] == final


async def test_a_finished_run_is_answered_at_once(
    ana: AsyncClient, server: Server, world: World
) -> None:
    run_id = await start(ana, server, world)
    await asyncio.to_thread(world.until, lambda: not world.tasks)
    assert (await ana.watch(run_id)).status == "completed"


async def test_a_run_that_ends_while_the_line_is_cut_is_seen_at_the_reconnection(
    server: Server, world: World, proxy: Proxy
) -> None:
    world.play = idle
    async with AsyncClient(server.url(world, proxy.port), timing=QUICK) as client:
        await client.login(EMAIL, PASSWORD)
        run_id = await start(client, server, world)
        watch = asyncio.create_task(client.watch(run_id))
        await asyncio.to_thread(world.until, lambda: bool(world.sockets))
        await proxy.close()
        server.call(end, world, run_id)
        # The events are gone too: only the snapshot can tell.
        server.call(world.events.clear)
        await proxy.open()
        assert (await watch).status == "completed"


def end(world: World, run_id: str) -> None:
    world.executions[run_id]["status"] = "completed"


async def test_a_lost_last_event_costs_only_the_poll(
    url: str, server: Server, world: World
) -> None:
    world.play = idle
    async with AsyncClient(url, timing=Timing(poll_s=0.02)) as client:
        await client.login(EMAIL, PASSWORD)
        run_id = await start(client, server, world)
        watch = asyncio.create_task(client.watch(run_id))
        await asyncio.to_thread(world.until, lambda: bool(world.sockets))
        server.call(world.emit, "agent_started", execution_id="another")
        server.call(end, world, run_id)
        assert (await watch).status == "completed"


async def test_without_an_event_stream_snapshots_will_do(
    url: str, server: Server, world: World
) -> None:
    world.play, world.handshake = idle, 404
    async with AsyncClient(url, timing=Timing(poll_s=0.02)) as client:
        await client.login(EMAIL, PASSWORD)
        run_id = await start(client, server, world)
        watch = asyncio.create_task(client.watch(run_id))
        path = f"/executions/{run_id}"
        await asyncio.to_thread(world.until, lambda: world.count("GET", path) > 1)
        server.call(end, world, run_id)
        assert (await watch).status == "completed"


async def test_an_unknown_run_is_not_found(ana: AsyncClient) -> None:
    with pytest.raises(NotFound):
        await ana.watch("none")


async def test_a_server_that_is_away_at_the_start_is_told(
    server: Server, world: World, proxy: Proxy
) -> None:
    async with AsyncClient(server.url(world, proxy.port), timing=QUICK) as client:
        await client.login(EMAIL, PASSWORD)
        await proxy.close()
        with pytest.raises(ConnectionFailed):
            await client.watch("any")


async def test_patience_with_a_server_that_goes_away_has_an_end(
    server: Server, world: World, proxy: Proxy
) -> None:
    world.play = idle
    quick = Timing(poll_s=0.01, retry_base_s=0.001, reconnect_base_s=0.001)
    async with AsyncClient(server.url(world, proxy.port), timing=quick) as client:
        await client.login(EMAIL, PASSWORD)
        run_id = await start(client, server, world)
        watch = asyncio.create_task(client.watch(run_id, patience_s=0.05))
        await asyncio.to_thread(world.until, lambda: bool(world.sockets))
        await proxy.close()
        with pytest.raises(ConnectionFailed):
            await watch


async def test_a_troubled_server_is_borne_with(url: str, server: Server, world: World) -> None:
    world.play = idle
    async with AsyncClient(url, timing=Timing(poll_s=0.01, tries=1)) as client:
        await client.login(EMAIL, PASSWORD)
        run_id = await start(client, server, world)
        path = f"/executions/{run_id}"
        watch = asyncio.create_task(client.watch(run_id))
        await asyncio.to_thread(world.until, lambda: world.count("GET", path) > 1)
        world.faults[f"GET {path}"] += [Fault.problem(500, "internal"), Fault.problem(429, "slow")]
        await asyncio.to_thread(world.until, lambda: not world.faults[f"GET {path}"])
        server.call(end, world, run_id)
        assert (await watch).status == "completed"


async def test_a_session_that_ends_while_watching_is_told(
    ana: AsyncClient, server: Server, world: World
) -> None:
    world.play = idle
    run_id = await start(ana, server, world)
    watch = asyncio.create_task(ana.watch(run_id))
    path = f"/executions/{run_id}"
    await asyncio.to_thread(world.until, lambda: world.count("GET", path) == 2)

    def revoke() -> None:
        world.expire()
        world.refreshes.clear()
        world.drop(4401)

    server.call(revoke)
    with pytest.raises(Unauthorized):
        await watch
