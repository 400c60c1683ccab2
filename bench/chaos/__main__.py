"""
`python -m bench.chaos`: what users are promised, while everything is killed.

Required: nothing lost, nothing stuck, not even until the invariant check found it, no finished
agent run again, none started twice. The exit code says whether that held; when not, the logs stay
and the report says where.
"""

import argparse
import asyncio
import statistics
import sys
import time
from random import Random

from app.common.tasks import background
from bench.chaos.disturb import DEEDS, Disturber
from bench.chaos.load import People
from bench.chaos.monitor import Monitor
from bench.chaos.verify import Verdict, unfinished, verify
from bench.stack import Stack, running_stack

#: After the last disturbance, everything has to come to its end within this time.
_END_LIMIT_S = 150.0
#: Of the work of a worker that was killed, and of one that stops; looked at every 0.2 s.
_TAKE_OVER_LIMIT_S, _HAND_OVER_LIMIT_S = 10.0, 1.0
#: Some executions queue, none is refused.
_SETTINGS = {"MAX_CONCURRENT_EXECUTIONS": "60", "MAX_QUEUED_EXECUTIONS": "100000"}


async def chaos(stack: Stack, asked: argparse.Namespace) -> Verdict:
    rng = Random(asked.seed)
    monitor = Monitor(stack.database_url)
    disturber = Disturber(stack, rng, deeds=asked.only or list(DEEDS), hangs=asked.seconds >= 60)
    async with (
        background(_keep_alive(stack), name="supervisor"),
        background(monitor.run(), name="monitor"),
        People(stack.api_urls, Random(asked.seed + 1)) as people,
    ):
        teams = await people.make_teams()
        async with asyncio.TaskGroup() as group:
            group.create_task(disturber.run(asked.seconds))
            for i in range(asked.executions):
                await asyncio.sleep(0.8 * asked.seconds / asked.executions)
                owner, team_id = rng.choice(teams)
                group.create_task(people.execute(owner, team_id, f"chaos-{i:05d}"))
        calm_since = time.monotonic()
        while await asyncio.to_thread(unfinished, stack.database_url):
            if time.monotonic() > calm_since + _END_LIMIT_S:
                break
            await asyncio.sleep(0.5)
        verdict = await asyncio.to_thread(
            verify, stack.database_url, stack.sandbox_url, people.submitted
        )
    done, submitted = disturber.done, people.submitted
    _print("disturbances", ", ".join(f"{n} x {what}" for what, n in sorted(done.counts.items())))
    _print("acknowledged / unknown", f"{len(submitted.acknowledged)} / {len(submitted.unknown)}")
    _print("ended", ", ".join(f"{n} {status}" for status, n in sorted(verdict.statuses.items())))
    _print("agents started", verdict.starts)
    _print("calm after the last disturbance", f"{time.monotonic() - calm_since:.1f} s")
    kills, stops = monitor.takeovers(done.kills), monitor.takeovers(done.stops)
    _print("take-over after kill -9", _times(kills))
    _print("hand-over at SIGTERM", _times(stops))
    if asked.timed:
        verdict.slow += _over("take-over", kills, _TAKE_OVER_LIMIT_S)
    if asked.timed and set(done.counts) == {
        "SIGTERM worker"
    }:  # else it waits for what else goes wrong
        verdict.slow += _over("hand-over", stops, _HAND_OVER_LIMIT_S)
    for kind, found in verdict.violations.items():
        _print(kind, len(found))
    return verdict


async def _keep_alive(stack: Stack) -> None:
    while True:
        await asyncio.sleep(0.1)
        stack.keep_alive()


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "no jobs were held"
    middle, late = statistics.median(seconds), sorted(seconds)[int(0.95 * len(seconds))]
    return (
        f"{len(seconds)} jobs, median {middle:.1f} s, 95 % in {late:.1f} s, "
        f"longest {max(seconds):.1f} s"
    )


def _over(what: str, seconds: list[float], limit_s: float) -> list[str]:
    """By the median: single ones also wait for a database that restarts, or a busy machine."""
    middle = statistics.median(seconds) if seconds else 0.0
    return [f"{what}: median {middle:.1f} s, limit {limit_s:g} s"] if middle > limit_s else []


def _print(what: str, value: object) -> None:
    print(f"  {what:<34} {value}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--executions", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=150.0, help="of disturbances")
    parser.add_argument("--apis", type=int, default=2)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--only", action="append", choices=DEEDS, help="this disturbance and no other (repeatable)"
    )
    parser.add_argument(
        "--untimed",
        dest="timed",
        action="store_false",
        help="report times, and let no limit fail: for machines with other work",
    )
    asked = parser.parse_args()
    print(f"chaos: {asked.executions} executions, {asked.seconds:g} s, seed {asked.seed}")
    with running_stack(apis=asked.apis, workers=asked.workers, settings=_SETTINGS) as stack:
        verdict = asyncio.run(chaos(stack, asked))
        broken = {kind: found for kind, found in verdict.violations.items() if found}
        stack.keep_logs = bool(broken)
    for kind, found in broken.items():
        for one in found[:20]:
            print(f"{kind}: {one}")
    print(f"FAILED; logs in {stack.logs}" if broken else "every promise held")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
