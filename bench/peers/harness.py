"""
How each candidate is measured: one run after another, or many at a time.

Runs in every peer's environment, so it needs only aiohttp, psutil and uvloop.
"""

import argparse
import asyncio
import gc
import json
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import psutil
import uvloop

#: Agents of a sequential and of a parallel run.
IN_A_ROW, AT_ONCE = 3, 10
_WARM_UP = 20
_MB = 1e6


class Candidate(Protocol):
    """Runs of agents that take *ms* each."""

    async def sequential(self, ms: float) -> None:
        """Three agents, each given the output of the one before it."""

    async def parallel(self, ms: float) -> None:
        """Ten agents at once."""


@dataclass(frozen=True)
class Asked:
    """What a candidate is started with."""

    agents_url: str
    database_url: str


Open = Callable[[Asked], AbstractAsyncContextManager[Candidate]]


class Agents:
    """The agent service, asked by aiohttp without a limit of connections."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> "Agents":
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def run(self, ms: float, number: int, prompt: str) -> str:
        url = f"{self._url}/agents/{number}/execute?ms={ms:g}"
        async with self._session.post(url, json={"prompt": prompt}) as response:
            output: str = (await response.json())["output"]
            return output


def main(open_candidate: Open) -> None:
    """`python -m bench.peers.NAME MEASURE ...` prints figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=["sequential", "parallel", "load", "growth"])
    parser.add_argument("--agents", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--ms", type=float, default=0.0)
    parser.add_argument("--runs", type=int, default=10_000)
    asked = parser.parse_args()

    async def measure() -> dict[str, float]:
        async with open_candidate(Asked(asked.agents, asked.database)) as candidate:
            if asked.measure == "load":
                return await _load(candidate, asked.ms, asked.at_once, asked.seconds)
            if asked.measure == "growth":
                return await _growth(candidate, asked.at_once, asked.runs)
            run = candidate.sequential if asked.measure == "sequential" else candidate.parallel
            return await _one_by_one(run, asked.ms, asked.seconds)

    print(json.dumps(uvloop.run(measure())), flush=True)


async def _one_by_one(
    run: Callable[[float], Awaitable[None]], ms: float, seconds: float
) -> dict[str, float]:
    began = time.perf_counter()
    for _ in range(_WARM_UP):
        await run(ms)
        if time.perf_counter() > began + seconds:
            break  # a slow one is warm after fewer
    taken: list[float] = []
    cpu_s = _cpu_s()
    end = time.perf_counter() + seconds
    while len(taken) < 5 or time.perf_counter() < end:
        began = time.perf_counter()
        await run(ms)
        taken.append(time.perf_counter() - began)
    return {
        "p50_ms": statistics.median(taken) * 1000,
        "cpu_ms": (_cpu_s() - cpu_s) * 1000 / len(taken),
    }


async def _load(candidate: Candidate, ms: float, at_once: int, seconds: float) -> dict[str, float]:
    done = errors = 0

    async def again_and_again(end: float) -> None:
        nonlocal done, errors
        while time.perf_counter() < end:
            try:
                await candidate.sequential(ms)
                done += 1
            except Exception as error:
                errors += 1
                print(repr(error), file=sys.stderr, flush=True)
                await asyncio.sleep(0.05)

    async def for_(duration: float) -> None:
        end = time.perf_counter() + duration
        await asyncio.gather(*(again_and_again(end) for _ in range(at_once)))

    await for_(min(1.0, seconds))
    done = errors = 0
    with _Peak() as peak:
        began, cpu_s = time.perf_counter(), _cpu_s()
        await for_(seconds)
        took, used = time.perf_counter() - began, _cpu_s() - cpu_s
    return {
        "runs_s": done / took,
        "cpu_ms": used * 1000 / max(1, done),
        "peak_mb": peak.mb,
        "errors": errors,
        "runs": done,
    }


async def _growth(candidate: Candidate, at_once: int, runs: int) -> dict[str, float]:
    """Memory after a fifth of the runs, when everything is warm, and after all of them."""
    left = iter(range(runs))

    async def again_and_again(until: int) -> None:
        for number in left:
            await candidate.sequential(0)
            if number >= until:
                return

    figures = {}
    for name, until in (("first_mb", runs // 5), ("last_mb", runs)):
        await asyncio.gather(*(again_and_again(until) for _ in range(at_once)))
        gc.collect()
        figures[name] = psutil.Process().memory_info().rss / _MB
    return figures


class _Peak:
    """The most memory that this process, and those it has started, hold meanwhile."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.mb = max(self.mb, sum(p.memory_info().rss for p in _processes()) / _MB)


def _cpu_s() -> float:
    times = [process.cpu_times() for process in _processes()]
    return sum(t.user + t.system for t in times)


def _processes() -> list[psutil.Process]:
    this = psutil.Process()
    return [this, *this.children(recursive=True)]
