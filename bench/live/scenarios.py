"""What is measured; each scenario adds its figures to the table."""

import asyncio
import statistics
import time
from random import Random
from uuid import UUID, uuid4

from bench.live.servers import Ours, Publisher, Server, Usage
from bench.live.sockets import Socket, Tally, connect
from bench.table import Table

#: Connections that are opened at once.
_AT_ONCE = 100
_SETTLE_S = 2.0
#: The limits speak of so many sockets, or more.
_ENOUGH = 1_000
_EVENTS = 15
_PER_S = 100
#: Characters more in an event, so that the system cannot hold a whole overload for a socket.
_PADDING = 500
#: Of an overload, every so many-th socket takes nothing while it lasts.
_SLEEPERS = 20
#: Every tenth socket of a broadcast measures: the others would only make the client slow.
_SAMPLE = 10
_PATIENCE_S = 60.0


async def idle(table: Table, server: Server, sockets: int) -> None:
    """Memory of sockets that hear nothing: five of every user."""
    server.restart()
    tally, usage = Tally(), Usage(server)
    warm = await _open(server, tally, [uuid4()] * _AT_ONCE)
    await _close(warm)
    before = usage.rss
    opened = await _open(server, tally, [u for u in _users(sockets // 5) for _ in range(5)])
    await asyncio.sleep(_SETTLE_S)
    what = f"memory of one of {len(opened):,} idle sockets, KiB"
    table.add(what, server.name, (usage.rss - before) / 1024 / len(opened))
    table.limit(what, "at most 30", lambda m: m["Renum"] <= 30)
    await _close(opened)


async def one_event(table: Table, server: Server, sockets: int) -> None:
    """From one publication until the last of all sockets has it."""
    server.restart()
    user_id, tally, usage = uuid4(), Tally(), Usage(server)
    opened = await _open(server, tally, [user_id] * sockets, measuring=sockets)
    times, cpu_s = [], 0.0
    async with Publisher(server) as publisher:
        for _ in range(_EVENTS):
            tally.latencies.clear()
            tally.expect(sockets)
            used = usage.cpu_s
            publisher.begin([user_id], count=1, per_s=1)
            await asyncio.wait_for(tally.reached.wait(), _PATIENCE_S)
            await publisher.done()
            times.append(max(tally.latencies) / 1e6)
            cpu_s += usage.cpu_s - used
            await asyncio.sleep(0.1)
    what = f"one event to {sockets:,} sockets, ms"
    table.add(what, server.name, statistics.median(times))
    if sockets >= _ENOUGH:
        table.limit(what, "at most 1.3 times", lambda m: m["Renum"] <= 1.3 * m["bare"])
    what = f"its CPU for each of {sockets:,}, µs"
    table.add(what, server.name, cpu_s * 1e6 / _EVENTS / sockets)
    await _close(opened)


async def owner(table: Table, server: Ours, sockets: int, seconds: float, doorbell: str) -> None:
    """The real case: events for one user with 1 to 5 sockets among very many."""
    server.restart()
    rng, tally = Random(7), Tally()
    users = list(_users(sockets // 3))
    owners = users + [rng.choice(users) for _ in range(sockets - len(users))]
    opened = await _open(server, tally, owners, measuring=sockets)
    count = round(_PER_S * seconds)
    rng.shuffle(users)
    async with Publisher(server) as publisher:
        # The first events of a process meet cold caches.
        publisher.begin(users, count=_PER_S, per_s=_PER_S)
        await publisher.done()
        tally.latencies.clear()
        publisher.begin(users, count=count, per_s=_PER_S)
        await publisher.done()
    await asyncio.sleep(1)
    cuts = statistics.quantiles(tally.latencies, n=100)
    for percent, limit in ((50, None), (99, 20)):
        what = f"an owner's event among {sockets:,} sockets over {doorbell}, p{percent} in ms"
        table.add(what, server.name, cuts[percent - 1] / 1e6)
        if limit:
            table.limit(what, f"at most {limit}", lambda m, limit=limit: m["Renum"] <= limit)
    await _close(opened)


async def overload(table: Table, server: Server, sockets: int, seconds: float) -> None:
    """More than can be delivered, and some who take nothing: they are let go, and come back."""
    server.restart()
    user_id, tally, usage = uuid4(), Tally(), Usage(server)
    ours = isinstance(server, Ours)
    opened = await _open(server, tally, [user_id] * sockets, measuring=sockets // _SAMPLE, ids=ours)
    before, peak = usage.rss, 0
    sleepers = opened[::_SLEEPERS]
    for socket in sleepers:
        socket.sleep()
    count = round(_PER_S * seconds)
    async with Publisher(server) as publisher:
        began = time.monotonic()
        publisher.begin([user_id], count=count, per_s=_PER_S, padding=_PADDING)
        publishing = asyncio.create_task(publisher.done())
        while not publishing.done():
            peak = max(peak, usage.rss)
            await asyncio.sleep(0.1)
        took, delivered = time.monotonic() - began, tally.events
    for socket in sleepers:
        socket.transport.resume_reading()
    what = f"overload of {sockets:,} sockets: deliveries a second"
    table.add(what, server.name, delivered / took)
    if sockets >= _ENOUGH:
        table.limit(what, "more than bare", lambda m: m["Renum"] > m["bare"])
    middle = statistics.median(tally.latencies) / 1e6
    table.add("overload: p50 from publication, ms", server.name, middle)
    table.add("overload: memory it took, MiB", server.name, (peak - before) / 1024**2)
    if ours:
        missing = await _catch_up(server, tally, opened, user_id, count)
        for code, closed in sorted(tally.closed.items()):
            table.add(f"overload: closed with {code}", server.name, closed)
        table.add("overload: events lost in the end", server.name, missing + tally.gaps)
        table.limit("overload: events lost in the end", "none", lambda m: m["Renum"] == 0)
    await _close(opened)


async def _catch_up(
    server: Server, tally: Tally, sockets: list[Socket], user_id: UUID, last_id: int
) -> int:
    """Let those that were closed resume; how many events are missing when all have caught up."""
    give_up_at = time.monotonic() + _PATIENCE_S
    token = server.token(user_id)
    while behind := [i for i, s in enumerate(sockets) if s.last_id < last_id]:
        if time.monotonic() > give_up_at:
            break
        for i in behind[:_AT_ONCE]:
            if sockets[i].lost.done():
                after = sockets[i].last_id
                path = f"{server.path}?last_event_id={after}"
                sockets[i] = await connect(
                    server.port, path, tally, token=token, measures=False, ids=True, last_id=after
                )
        await asyncio.sleep(0.2)
    return sum(last_id - s.last_id for s in sockets)


def _users(count: int) -> list[UUID]:
    return [uuid4() for _ in range(count)]


async def _open(
    server: Server, tally: Tally, owners: list[UUID], *, measuring: int = 0, ids: bool = False
) -> list[Socket]:
    """One socket for every entry of *owners*; every so many-th measures."""
    every = len(owners) // measuring if measuring else 0
    opened: list[Socket] = []
    for start in range(0, len(owners), _AT_ONCE):
        opened += await asyncio.gather(
            *(
                connect(
                    server.port,
                    server.path,
                    tally,
                    token=server.token(owner),
                    measures=bool(every) and n % every == 0,
                    ids=ids,
                )
                for n, owner in enumerate(owners[start : start + _AT_ONCE], start)
            )
        )
    await asyncio.sleep(_SETTLE_S / 2)
    return opened


async def _close(sockets: list[Socket]) -> None:
    for socket in sockets:
        socket.transport.abort()
    await asyncio.gather(*(s.lost for s in sockets))
    await asyncio.sleep(_SETTLE_S / 4)
