"""
`python -m bench.waiting`: one worker process drives a thousand executions that wait on Suna.

Wanted: under 250 MB in the worker, and its event loop never blocked for more than 50 ms by work
of its own, also while all of them start and end at once. On a busy machine a loop is also late
because others have the cores: so each delay is shown with the CPU time that the loop's thread
used in it.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import psutil
import psycopg
import uvloop

from bench.stack import Stack, running_stack
from renum_sandbox import constants

_TICK_S = 0.005
_SAMPLES = "RENUM_BENCH_SAMPLES"
_LIMIT_S = 300.0
_AT_ONCE = 20
_COUNT = """
SELECT count(*) FILTER (WHERE r.status = 'running' AND r.run_id IS NOT NULL),
       count(DISTINCT e.id) FILTER (WHERE e.status = 'completed'),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())
  FROM renum.executions e JOIN renum.agent_results r ON r.execution_id = e.id
"""


def worker() -> None:
    """`renum-api worker` whose loop writes down how late it is, and why."""
    new_loop = uvloop.new_event_loop

    def measured_loop() -> asyncio.AbstractEventLoop:
        loop = new_loop()
        loop.call_soon(_measure, loop, Path(os.environ[_SAMPLES]))
        return loop

    uvloop.new_event_loop = measured_loop
    from app.cli import main

    sys.argv = ["renum-api", "worker"]
    main()


def _measure(loop: asyncio.AbstractEventLoop, path: Path) -> None:
    """Appends `[late s, CPU s of this thread since the last tick]` as lines, every second."""
    samples: list[tuple[float, float]] = []
    file = path.open("w")

    def tick(due: float, cpu: float) -> None:
        now, used = loop.time(), time.thread_time()
        samples.append((now - due, used - cpu))
        if len(samples) >= 200:
            file.writelines(f"{late:.6f} {own:.6f}\n" for late, own in samples)
            file.flush()
            samples.clear()
        loop.call_at(loop.time() + _TICK_S, tick, loop.time() + _TICK_S, time.thread_time())

    loop.call_soon(tick, loop.time(), time.thread_time())


def run(stack: Stack, samples: Path, executions: int, seconds: float) -> bool:
    """Whether everything that was started has completed, each agent started once."""
    process = psutil.Process(stack.workers[0].pid)
    began = time.monotonic()
    asyncio.run(_submit(stack, executions, seconds))
    with psycopg.connect(stack.database_url, autocommit=True) as db:

        def until(what: str, holds: Callable[[tuple[int, ...]], bool]) -> int:
            peak = 0
            while True:
                row = db.execute(_COUNT).fetchone()
                peak = max(peak, process.memory_info().rss)
                if row and holds(row):
                    return peak
                if time.monotonic() > began + _LIMIT_S:
                    raise TimeoutError(f"never {what}: {row}")
                time.sleep(0.1)

        peak = until("all running", lambda row: row[0] >= executions)
        _print("from the first request to all running", f"{time.monotonic() - began:.1f} s")
        connections = db.execute(_COUNT).fetchone()
        process.cpu_percent()
        time.sleep(4)
        _print("CPU while they wait", f"{process.cpu_percent():.1f} %")
        _print("memory while they wait", f"{process.memory_info().rss / 1e6:.0f} MB")
        _print("database connections, all processes", connections[2] if connections else "?")
        peak = max(peak, until("all completed", lambda row: row[1] >= executions))
    _print("peak memory", f"{peak / 1e6:.0f} MB")
    time.sleep(1)
    rows = [tuple(map(float, line.split())) for line in samples.read_text().splitlines()]
    own = sorted(cpu for _, cpu in rows)
    late = sorted(lateness for lateness, _ in rows)
    _print("loop blocked by own work", f"p99 {_p(own, 99)}, longest {own[-1] * 1000:.0f} ms")
    _print("loop late for whatever reason", f"p99 {_p(late, 99)}, longest {late[-1] * 1000:.0f} ms")
    starts = httpx2.get(f"{stack.sandbox_url}/sandbox/starts", timeout=60).json()["starts"]
    _print("agents started", f"{len(starts)}, wanted {2 * executions}")
    return len(starts) == 2 * executions


async def _submit(stack: Stack, executions: int, seconds: float) -> None:
    room = asyncio.Semaphore(_AT_ONCE)
    api = f"{stack.api_urls[0]}/api/v1"
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        who = {"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD}
        token = (await http.post(f"{api}/auth/login", json=who)).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        agents = (await http.get(f"{api}/agents")).json()["agents"][:2]
        team = {
            "name": "Patience",
            "workflow_type": "sequential",
            "agents": [{"agent_id": a["id"]} for a in agents],
        }
        team_id = (await http.post(f"{api}/teams", json=team)).json()["id"]

        async def execute(i: int) -> None:
            body = {"input_data": {"prompt": f"Wait {i} [[sleep={seconds:g}]]"}}
            async with room:
                answer = await http.post(f"{api}/teams/{team_id}/execute", json=body)
                answer.raise_for_status()

        await asyncio.gather(*(execute(i) for i in range(executions)))


def _p(values: list[float], percent: int) -> str:
    return f"{statistics.quantiles(values, n=100)[percent - 1] * 1000:.1f} ms"


def _print(what: str, value: object) -> None:
    print(f"  {what:<40} {value}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.waiting", description=__doc__)
    parser.add_argument("--executions", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=40.0, help="that each agent takes")
    asked = parser.parse_args()
    print(f"waiting: {asked.executions} executions of two agents, {asked.seconds:g} s each")
    samples = Path(f"/tmp/renum-waiting-{os.getpid()}")
    settings = {
        "MAX_CONCURRENT_EXECUTIONS": str(asked.executions),
        _SAMPLES: str(samples),
    }
    command = [sys.executable, "-c", "from bench.waiting import worker; worker()"]
    try:
        with running_stack(
            apis=1,
            workers=1,
            settings={**settings, "PYTHONPATH": str(Path.cwd())},
            worker_command=command,
        ) as stack:
            return 0 if run(stack, samples, asked.executions, asked.seconds) else 1
    finally:
        samples.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
