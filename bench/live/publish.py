"""
The publisher, a process of its own. Reads one JSON command a line: `{"users": [...], "count": n,
"per_s": f,
"padding": n}`, publishes so many events to users in turn, and answers with a line.

The name in every event is the monotonic time in nanoseconds right before it was published.
"""

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import aiohttp
import uvloop

from app.common.tasks import background
from app.domain.events import TeamUpdated
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.redis.bus import RedisPublisher
from app.infra.redis.bus import connect as connect_redis


async def main() -> None:
    async with AsyncExitStack() as stack:
        if bare_url := os.environ.get("BARE_URL"):
            http = await stack.enter_async_context(aiohttp.ClientSession())

            async def publish(_: UUID, padding: int) -> None:
                message = {"type": "team_updated", "id": 1, "timestamp": "2026-01-01T00:00:00.0Z"}
                message["data"] = _data(padding)
                body = json.dumps(message, separators=(",", ":"))
                async with http.post(f"{bare_url}/pub", data=body) as answer:
                    answer.raise_for_status()

        else:
            ring = None
            if redis_url := os.environ.get("REDIS_URL"):
                publisher = RedisPublisher(connect_redis(redis_url))
                await stack.enter_async_context(background(publisher.run(), name="rings"))
                ring = publisher.ring
            pool = await stack.enter_async_context(create_pool(os.environ["DATABASE_URL"], size=4))
            db = PostgresDatabase(pool, ring=ring)

            async def publish(user_id: UUID, padding: int) -> None:
                event = TeamUpdated(**{**_data(padding), "team_id": uuid4()})
                async with db.transaction() as tx:
                    await tx.events.append(user_id, [event])

        await _serve(publish)


def _data(padding: int) -> dict[str, object]:
    name = f"{time.monotonic_ns():020d}{'x' * padding}"
    return {"team_id": str(uuid4()), "action": "updated", "name": name, "version": 1}


async def _serve(publish) -> None:
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        users = [UUID(u) for u in command["users"]]
        due = loop.time()
        for n in range(command["count"]):
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += 1 / command["per_s"]
            await publish(users[n % len(users)], command["padding"])
        print("done", flush=True)


if __name__ == "__main__":
    uvloop.run(main())
