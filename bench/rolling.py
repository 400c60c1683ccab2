"""
`python -m bench.rolling`: API processes are restarted one after the other under live sockets.

Wanted: every socket is told so (close code 1012), comes back to the other process, and has in the
end every event of its user once, in order, and the same as every other socket of that user.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import httpx2
import psycopg
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bench.live.servers import Ours, Publisher
from bench.stack import Process, Stack, running_stack, wait_for
from renum_sandbox import constants

SECRET = "a shared secret of at least 32 bytes"
_USERS = 20
_PER_S = 100
_LIMIT_S = 30.0
_PAUSE_S = 1.0


@dataclass
class Watcher:
    """One front end: follows its user's events, wherever it is let in."""

    user_id: UUID
    token: str
    urls: itertools.cycle
    ids: list[int] = field(default_factory=list)
    messages: dict[int, str] = field(default_factory=dict)
    closes: Counter[int | None] = field(default_factory=Counter)
    away_s: list[float] = field(default_factory=list)
    first_id: int | None = None

    @property
    def last_id(self) -> int:
        return self.ids[-1] if self.ids else self.first_id or 0

    async def run(self) -> None:
        left_at = None
        while True:
            try:
                left_at = await self._connection(left_at)
            except (OSError, InvalidHandshake):
                await asyncio.sleep(0.05)  # nobody there: the next one

    async def _connection(self, left_at: float | None) -> float:
        resume = "" if self.first_id is None else f"?last_event_id={self.last_id}"
        url = f"{next(self.urls).replace('http', 'ws')}/api/v1/ws{resume}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with connect(url, additional_headers=headers, compression=None) as socket:
            try:
                while True:
                    text = await socket.recv()
                    message = json.loads(text)
                    if message["type"] == "connected" and self.first_id is None:
                        self.first_id = message["data"]["last_event_id"]
                    if left_at is not None:
                        self.away_s.append(time.monotonic() - left_at)
                        left_at = None
                    if "id" in message:
                        self.ids.append(message["id"])
                        self.messages[message["id"]] = str(text)
            except ConnectionClosed as closed:
                self.closes[closed.rcvd.code if closed.rcvd else None] += 1
        return time.monotonic()


async def watch(stack: Stack, sockets: int, rounds: int) -> bool:
    """Whether all held."""
    ours = Ours(stack, SECRET)
    ana, token = await _sign_in(stack)
    users = {ana: token} | {u: ours.token(u) for u in (uuid4() for _ in range(_USERS - 1))}
    owners = list(itertools.islice(itertools.cycle(users), sockets))
    watchers = [
        Watcher(user_id, users[user_id], itertools.cycle(stack.api_urls[::step]))
        for user_id, step in zip(owners, itertools.cycle((1, -1)), strict=False)
    ]
    tasks = [asyncio.create_task(w.run()) for w in watchers]
    await _until(lambda: all(w.first_id is not None for w in watchers), "connected")
    stop_s = []
    async with Publisher(ours) as publisher:
        seconds = rounds * 2 * (_PAUSE_S + 2)
        publisher.begin(list(users), count=round(seconds * _PER_S), per_s=_PER_S)
        runs = asyncio.create_task(_execute(stack, token))
        for _, (process, url) in itertools.product(
            range(rounds), list(zip(stack.apis, stack.api_urls, strict=True))
        ):
            await asyncio.sleep(_PAUSE_S)
            stop_s.append(await asyncio.to_thread(_restart, process, url))
        await publisher.done()
        await runs
    heads = _heads(stack)
    await _until(lambda: all(w.last_id >= heads[w.user_id] for w in watchers), "caught up")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return _judge(watchers, heads, stop_s)


def _judge(watchers: list[Watcher], heads: dict[UUID, int], stop_s: list[float]) -> bool:
    closes = sum((w.closes for w in watchers), Counter())
    away = sorted(s for w in watchers for s in w.away_s)
    gaps = [w for w in watchers if w.ids != list(range((w.first_id or 0) + 1, w.last_id + 1))]
    told: dict[tuple[UUID, int], set[str]] = {}
    for watcher in watchers:
        for event_id, text in watcher.messages.items():
            told.setdefault((watcher.user_id, event_id), set()).add(text)
    differing = sum(len(texts) > 1 for texts in told.values())
    behind = sum(w.last_id != heads[w.user_id] for w in watchers)
    stayed = sum(not w.closes for w in watchers)
    print(f"  sockets                        {len(watchers)} of {_USERS} users")
    print(f"  events received                {sum(len(w.ids) for w in watchers)}")
    print(f"  closed by code                 {dict(closes)}, wanted 1012 only")
    print(f"  sockets that saw no restart    {stayed}, wanted 0")
    print(f"  with a gap or a duplicate      {len(gaps)}, wanted 0")
    print(f"  that miss the last event       {behind}, wanted 0")
    print(f"  events told differently        {differing}, wanted 0")
    print(f"  from SIGTERM to the end, s     {', '.join(f'{s:.2f}' for s in stop_s)}")
    print(
        f"  away, s                        {statistics.median(away):.2f} (median), {away[-1]:.2f}"
    )
    return set(closes) == {1012} and not (stayed or gaps or behind or differing)


def _restart(process: Process, url: str) -> float:
    """How long it took to end."""
    began = time.monotonic()
    process.stop()
    took = time.monotonic() - began
    process.start()
    wait_for(f"{url}/health/ready")
    return took


async def _sign_in(stack: Stack) -> tuple[UUID, str]:
    who = {"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD}
    async with httpx2.AsyncClient(base_url=stack.api_urls[0], trust_env=False) as http:
        answer = (await http.post("/api/v1/auth/login", json=who)).json()
    return UUID(answer["user"]["id"]), answer["access_token"]


async def _execute(stack: Stack, token: str) -> None:
    """Some real runs, driven by the worker; the API that is asked may be away for a moment."""
    for number, url in zip(range(6), itertools.cycle(stack.api_urls), strict=False):
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as http:
            try:
                agents = (await http.get("/api/v1/agents")).json()["agents"][:2]
                team = {
                    "name": f"Rolling {number}",
                    "workflow_type": "sequential",
                    "agents": [{"agent_id": a["id"]} for a in agents],
                }
                team_id = (await http.post("/api/v1/teams", json=team)).json()["id"]
                body = {"input_data": {"prompt": "Roll on"}}
                await http.post(f"/api/v1/teams/{team_id}/execute", json=body)
            except (httpx2.TransportError, KeyError):
                pass
        await asyncio.sleep(0.5)


def _heads(stack: Stack) -> dict[UUID, int]:
    with psycopg.connect(stack.database_url) as db:
        unfinished = "SELECT count(*) FROM renum.executions WHERE completed_at IS NULL"
        while (row := db.execute(unfinished).fetchone()) and row[0]:
            db.rollback()
            time.sleep(0.1)
        return dict(db.execute("SELECT user_id, last_id FROM renum.event_heads").fetchall())


async def _until(holds, what: str) -> None:
    give_up_at = time.monotonic() + _LIMIT_S
    while not holds():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not all {what}")
        await asyncio.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rolling", description=__doc__)
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    settings = {
        "JWT_SECRET_KEY": SECRET,
        "WS_MAX_SOCKETS_PER_USER": str(asked.sockets),
        "REDIS_URL": "",
    }
    print(f"rolling restart: {asked.sockets} sockets, {asked.rounds} rounds")
    with running_stack(apis=2, workers=1, settings=settings) as stack:
        return 0 if uvloop.run(watch(stack, asked.sockets, asked.rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
