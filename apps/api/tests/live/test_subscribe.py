"""Narrowing the stream, and the snapshots that come first (api.md §7, field.md 9 and 10)."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from websockets.sync.client import ClientConnection

from app.domain.events import TeamUpdated
from app.domain.watching import EVERYTHING, Interest, Message, SlowWatcher
from app.infra.db.database import PostgresDatabase
from app.infra.websocket.hub import Hub
from tests.live.client import Live, durable, ends, receive


def say(socket: ClientConnection, type_: str, **data: object) -> None:
    socket.send(json.dumps({"type": type_, "data": data}))


def until(socket: ClientConnection, type_: str) -> dict[str, Any]:
    """The next message of this type; agents of other tests may be talking."""
    while (message := receive(socket))["type"] != type_:
        assert message["type"] == "agent_output"
    return message


@pytest.fixture
def socket(live: Live) -> Iterator[ClientConnection]:
    with live.socket() as socket:
        assert receive(socket)["type"] == "connected"
        yield socket


def test_each_execution_is_told_first_as_it_is(live: Live, socket: ClientConnection) -> None:
    ids = [live.run(live.make_team()) for _ in range(2)]
    running = set(ids)
    while running:  # in whichever order they end
        running.discard(durable(socket, ends)[-1]["data"]["execution_id"])
    say(socket, "subscribe", execution_ids=ids)
    subscribed = until(socket, "subscribed")
    assert subscribed["data"]["execution_ids"] == sorted(ids)
    assert subscribed["data"]["types"] is None
    for execution_id in ids:
        snapshot = until(socket, "execution_snapshot")["data"]
        assert snapshot.pop("as_of_id") == subscribed["data"]["as_of_id"]
        assert snapshot == live.client.get(f"/executions/{execution_id}").json()


def test_after_the_snapshot_only_newer_events_of_it_come(
    live: Live, socket: ClientConnection
) -> None:
    team_id = live.make_team()
    execution_id = live.run(team_id, "Wait [[sleep=0.5]]")
    other = live.run(live.make_team("Other"))
    say(socket, "subscribe", execution_ids=[execution_id])
    # What was on its way already, then the snapshot, then nothing older.
    while (message := receive(socket))["type"] != "execution_snapshot":
        pass
    snapshot, as_of_id = message["data"], message["data"]["as_of_id"]
    events = durable(socket, ends)
    assert all(e["id"] > as_of_id for e in events)
    assert {e["data"]["execution_id"] for e in events} == {execution_id}
    assert [e["data"]["seq"] for e in events] == list(
        range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(events))
    )
    assert live.wait_for(other)["status"] == "completed"


def test_types_narrow_too_and_unsubscribe_takes_it_back(
    live: Live, socket: ClientConnection
) -> None:
    say(socket, "subscribe", types=["new_notification", "team_updated"])
    assert until(socket, "subscribed")["data"]["types"] == ["new_notification", "team_updated"]
    team_id = live.make_team()
    execution_id = live.run(team_id)
    live.wait_for(execution_id)
    assert [receive(socket)["type"] for _ in range(2)] == ["team_updated", "new_notification"]
    say(socket, "unsubscribe")
    told = until(socket, "subscribed")["data"]
    assert (told["execution_ids"], told["types"]) == (None, None)
    page = live.client.get("/events?limit=1000", headers={"Accept": "application/json"}).json()
    assert told["as_of_id"] == page["last_event_id"]
    live.make_team()
    assert durable(socket, lambda _: True)[0]["id"] == told["as_of_id"] + 1


def test_what_is_another_users_is_not_there_and_nothing_changes(
    live: Live, socket: ClientConnection, tokens: dict[str, str]
) -> None:
    execution_id = live.run(live.make_team())
    live.wait_for(execution_id)
    with live.socket(token=tokens["bruno"]) as theirs:
        receive(theirs)
        say(theirs, "subscribe", execution_ids=[execution_id])
        error = receive(theirs)
        assert (error["type"], error["data"]["code"]) == ("error", "execution_not_found")
        assert execution_id in error["data"]["message"]
    durable(socket, ends)
    say(socket, "subscribe", execution_ids=[str(uuid4())])
    assert until(socket, "error")["data"]["code"] == "execution_not_found"
    live.make_team()  # all is heard, as before
    assert durable(socket, lambda _: True)[0]["type"] == "team_updated"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"execution_ids": []}, "data.execution_ids: List should have at least 1 item"),
        ({"execution_ids": ["x"]}, "data.execution_ids.0: Input should be a valid UUID"),
        ({"execution_ids": [str(uuid4())] * 51}, "data.execution_ids: List should have at most 50"),
        ({"types": ["dance"]}, "data.types.0: Input should be 'execution_status_update'"),
        ({"type": "team_updated"}, "data.type: Extra inputs are not permitted"),
    ],
)
def test_a_malformed_subscription_is_explained(
    socket: ClientConnection, data: dict[str, object], problem: str
) -> None:
    say(socket, "subscribe", **data)
    error = until(socket, "error")["data"]
    assert error["code"] == "malformed_message"
    assert problem in error["message"]


def test_subscriptions_amid_a_run_never_miss_and_never_repeat(live: Live) -> None:
    """However a snapshot falls into a run: it and the events after it are the whole."""
    team_id = live.make_team()
    stop = threading.Event()

    def noise() -> None:
        while not stop.is_set():
            live.make_team("Noise")

    thread = threading.Thread(target=noise)
    thread.start()
    try:
        for _ in range(5):
            with live.socket() as socket:
                receive(socket)
                execution_id = live.run(team_id)
                say(socket, "subscribe", execution_ids=[execution_id])
                while (message := receive(socket))["type"] != "execution_snapshot":
                    pass
                snapshot = message["data"]
                seqs = []
                if snapshot["status"] != "completed":
                    events = durable(socket, ends)
                    assert [e["id"] > snapshot["as_of_id"] for e in events] == [True] * len(events)
                    seqs = [e["data"]["seq"] for e in events]
                whole = live.wait_for(execution_id)
                assert seqs == list(range(snapshot["seq"] + 1, whole["seq"] + 1))
    finally:
        stop.set()
        thread.join()


# --- the hub alone: every place where a snapshot can fall -----------------------------------------


async def tell(db: PostgresDatabase, user_id: Any, count: int = 1) -> None:
    event = TeamUpdated(team_id=uuid4(), action="updated", name="T", version=1)
    async with db.transaction() as tx:
        await tx.events.append(user_id, [event] * count)


async def test_nothing_comes_between_a_snapshot_and_what_follows_it(db: PostgresDatabase) -> None:
    hub, user_id = Hub(db, max_per_user=2), uuid4()
    await tell(db, user_id, 3)

    async def snapshot() -> tuple[int, list[Message]]:
        await tell(db, user_id, 2)  # 4 and 5, which the feed would bring
        hub.ring(user_id)
        await asyncio.sleep(0.05)
        async with db.snapshot() as tx:
            last, _ = await tx.events.bounds(user_id)
        await tell(db, user_id, 2)  # 6 and 7, which the snapshot does not know
        hub.ring(user_id)
        await asyncio.sleep(0.05)
        return last, [Message(b"snapshot")]

    async with asyncio.timeout(10), hub.subscribe(user_id, after=None) as watcher:
        waiting = asyncio.create_task(watcher.next())
        await asyncio.sleep(0)
        await watcher.restart(EVERYTHING, snapshot)
        told = list(await waiting)
        while len(told) < 3:
            told += await watcher.next()
    assert [(m.id, m.text == b"snapshot") for m in told] == [(None, True), (6, False), (7, False)]


async def test_a_snapshot_that_fails_leaves_all_as_it_was(db: PostgresDatabase) -> None:
    hub, user_id = Hub(db, max_per_user=2), uuid4()

    async def snapshot() -> tuple[int, list[Message]]:
        await tell(db, user_id, 2)
        raise LookupError

    async with asyncio.timeout(10), hub.subscribe(user_id, after=None) as watcher:
        with pytest.raises(LookupError):
            await watcher.restart(Interest(types=frozenset()), snapshot)
        assert [m.id for m in await watcher.next()] == [1, 2]


async def test_a_snapshot_ends_a_long_replay(db: PostgresDatabase) -> None:
    hub, user_id = Hub(db, max_per_user=2), uuid4()
    await tell(db, user_id, 1_000)

    async def snapshot() -> tuple[int, list[Message]]:
        return 1_000, [Message(b"snapshot")]

    async with asyncio.timeout(10), hub.subscribe(user_id, after=0) as watcher:
        assert [m.id for m in await watcher.next()] == list(range(1, 201))
        await watcher.restart(EVERYTHING, snapshot)
        assert [m.text for m in await watcher.next()] == [b"snapshot"]
        await tell(db, user_id)
        hub.ring(user_id)
        assert [m.id for m in await watcher.next()] == [1_001]


async def test_a_hole_in_the_log_is_never_stepped_over(
    db: PostgresDatabase, shared_database_url: str
) -> None:
    """What is kept no longer while it is read: whoever reads it is let go, and told on return."""
    hub, user_id = Hub(db, max_per_user=2), uuid4()
    await tell(db, user_id, 1_000)
    async with asyncio.timeout(10), hub.subscribe(user_id, after=0) as watcher:
        assert len(await watcher.next()) == 200
        async with db.autocommit() as tx:
            await tx.events._connection.execute(
                "DELETE FROM renum.events WHERE user_id = %s AND id <= 500", (user_id,)
            )
        with pytest.raises(SlowWatcher):
            await watcher.next()
