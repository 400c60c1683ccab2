"""
`python -m bench.chaos`: what users are promised, while everything is killed.

Required: nothing lost, nothing stuck, no finished agent run again, none started twice. The exit
code says whether that held; when not, the logs stay and the report says where.
"""

import argparse
import asyncio
import statistics
import sys
import time
from random import Random

from bench.chaos.disturb import Disturber
from bench.chaos.load import People
from bench.chaos.monitor import Monitor
from bench.chaos.stack import Stack, running_stack
from bench.chaos.verify import Verdict, unfinished, verify

from app.common.tasks import background

#: After the last disturbance, everything has to come to its end within this time.
_END_LIMIT_S = 150.0


class Failed(Exception):
    """A promise did not hold; keeps the folder."""


async def chaos(stack: Stack, asked: argparse.Namespace) -> Verdict:
    rng = Random(asked.seed)
    monitor = Monitor(stack.database_url)
    disturber = Disturber(stack, rng, hangs=asked.seconds >= 60)
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
    _print("take-over after kill -9", _times(monitor.takeovers(done.kills)))
    _print("hand-over at SIGTERM", _times(monitor.takeovers(done.stops)))
    _print("repaired by the invariant check", verdict.repairs)
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
    middle = statistics.median(seconds)
    return f"{len(seconds)} jobs, median {middle:.1f} s, longest {max(seconds):.1f} s"


def _print(what: str, value: object) -> None:
    print(f"  {what:<34} {value}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--executions", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=150.0, help="of disturbances")
    parser.add_argument("--apis", type=int, default=2)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(f"chaos: {asked.executions} executions, {asked.seconds:g} s, seed {asked.seed}")
    try:
        with running_stack(apis=asked.apis, workers=asked.workers) as stack:
            verdict = asyncio.run(chaos(stack, asked))
            if any(verdict.violations.values()):
                raise Failed(str(stack.folder))
    except Failed as failed:
        for kind, found in verdict.violations.items():
            for one in found[:20]:
                print(f"{kind}: {one}")
        print(f"FAILED; logs in {failed}/logs")
        return 1
    print("every promise held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
