"""What goes wrong, at random but the same for the same seed."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import httpx2

from bench.stack import Process, Stack

_PAUSE_S = (0.4, 1.8)
_ZOMBIE_S = 6.0
_FAULTS = [
    ("start", "drop-answer"),
    ("start", "500"),
    ("start", "503"),
    ("start", "429"),
    ("start", "402-limit"),
    ("start", "fail-run"),
    ("status", "500"),
    ("status", "drop-answer"),
    ("stream", "drop-answer"),
    ("stream", "503"),
    ("messages", "500"),
    ("stop", "500"),
    ("stop", "ignore-stop"),
    ("runs", "500"),
    ("runs", "503"),
    ("start", "404-first"),
    ("start", "garbage"),
    ("start", "late-answer"),
]
#: These hold a run up for half a minute or a whole one; only worth it in a long test.
_HANGS = [("status", "hang"), ("stream", "hang"), ("messages", "hang")]


@dataclass
class Disturbances:
    """What was done, and when workers died (`time.time()`)."""

    counts: Counter[str] = field(default_factory=Counter)
    kills: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)


class Disturber:
    def __init__(self, stack: Stack, rng: Random, *, deeds: Sequence[str], hangs: bool) -> None:
        self._stack, self._rng, self._deeds = stack, rng, deeds
        self._faults = _FAULTS + (_HANGS if hangs else [])
        self._zombies: dict[Process, float] = {}
        self.done = Disturbances()

    async def run(self, seconds: float) -> None:
        """Disturb for a while, then let everybody live."""
        end_at = time.monotonic() + seconds
        weights = [DEEDS[name][0] for name in self._deeds]
        while time.monotonic() < end_at:
            await asyncio.sleep(self._rng.uniform(*_PAUSE_S))
            self.wake_zombies()
            name = self._rng.choices(self._deeds, weights)[0]
            await DEEDS[name][1](self)
            self.done.counts[name] += 1
        await asyncio.sleep(max((t - time.monotonic() for t in self._zombies.values()), default=0))
        self.wake_zombies()
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = None
            while answer is None:
                with suppress(httpx2.TransportError):
                    answer = await http.delete(f"{self._stack.sandbox_url}/sandbox/faults")
                await asyncio.sleep(0.1)

    def wake_zombies(self) -> None:
        for process, at in list(self._zombies.items()):
            if time.monotonic() >= at:
                process.send(signal.SIGCONT)
                del self._zombies[process]

    async def kill_worker(self) -> None:
        if worker := self._living():
            worker.send(signal.SIGKILL, pause_s=self._rng.choice([0.0, 1.0, 8.0]))
            self.done.kills.append(time.time())

    async def kill_api(self) -> None:
        self._rng.choice(self._stack.apis).send(signal.SIGKILL, pause_s=0.5)

    async def stop_worker(self) -> None:
        if worker := self._living():
            worker.send(signal.SIGTERM)
            self.done.stops.append(time.time())

    async def freeze_worker(self) -> None:
        if worker := self._living():
            worker.send(signal.SIGSTOP)
            self._zombies[worker] = time.monotonic() + _ZOMBIE_S

    async def restart_postgres(self) -> None:
        mode = self._rng.choice(["fast", "immediate"])
        await asyncio.to_thread(self._stack.restart_postgres, mode)

    async def restart_valkey(self) -> None:
        await asyncio.to_thread(self._stack.restart_valkey)

    async def kill_suna(self) -> None:
        self._stack.sandbox.send(signal.SIGKILL, pause_s=self._rng.choice([0.0, 1.0, 6.0]))

    async def break_suna(self) -> None:
        operation, fault = self._rng.choice(self._faults)
        body = {"operation": operation, "fault": fault, "times": self._rng.randint(1, 3)}
        async with httpx2.AsyncClient(trust_env=False) as http:
            with suppress(httpx2.TransportError):  # it may be away already
                answer = await http.post(f"{self._stack.sandbox_url}/sandbox/faults", json=body)
                answer.raise_for_status()

    def _living(self) -> Process | None:
        """A worker that is no zombie; the last one is left alone."""
        living = [w for w in self._stack.workers if w not in self._zombies]
        return self._rng.choice(living) if len(living) > 1 else None


#: What is done, and how often, relative to the others.
DEEDS: dict[str, tuple[int, Callable[[Disturber], Awaitable[None]]]] = {
    "kill -9 worker": (5, Disturber.kill_worker),
    "kill -9 api": (2, Disturber.kill_api),
    "SIGTERM worker": (2, Disturber.stop_worker),
    "zombie worker": (2, Disturber.freeze_worker),
    "restart PostgreSQL": (1, Disturber.restart_postgres),
    "restart Valkey": (1, Disturber.restart_valkey),
    "kill -9 Suna": (1, Disturber.kill_suna),
    "fault of Suna": (6, Disturber.break_suna),
}
