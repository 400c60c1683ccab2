"""
`python -m bench.throughput`: how many runs a process gets done, and what each costs.

Sequential runs of three agents that take 50 ms each, many at a time, by Renum, by what it is
measured against, and by plain asyncio as the limit; all candidates in turn, each in a fresh
process. Then Renum alone: whether its memory grows with what it has done.
"""

import argparse
import subprocess
import sys

from bench.peers import side_by_side as peers
from bench.table import Table

_RUNS = "runs a second"
_CPU = "CPU of a run, ms"
_MEMORY = "memory at most, MB"
_ERRORS = "errors"
_FIRST = "memory after a fifth of the runs below, MB"
_LAST = "memory after {:,} runs, MB"
_AGENT_MS = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument(
        "--growth", type=int, default=10_000, help="runs by Renum alone; 0 leaves that out"
    )
    parser.add_argument(
        "--only", action="append", choices=[c.module for c in peers.ALL], default=[]
    )
    asked = parser.parse_args()
    candidates = peers.chosen(asked.only)
    ours = peers.RENUM.name
    table = Table([c.name for c in candidates])
    with peers.shared_services() as bench:
        for _ in range(asked.rounds):
            for candidate in candidates:
                try:
                    figures = bench.measure(
                        candidate,
                        "load",
                        ms=_AGENT_MS,
                        at_once=asked.at_once,
                        seconds=asked.seconds,
                    )
                except subprocess.SubprocessError as error:
                    print(f"{candidate.name} was not measured: {error}", file=sys.stderr)
                    continue
                table.add(_RUNS, candidate.name, figures["runs_s"])
                table.add(_CPU, candidate.name, figures["cpu_ms"])
                table.add(_MEMORY, candidate.name, figures["peak_mb"])
                table.add(_ERRORS, candidate.name, figures["errors"])
        if asked.growth:
            figures = bench.measure(peers.RENUM, "growth", runs=asked.growth, at_once=50)
            table.add(_FIRST, peers.RENUM.name, figures["first_mb"])
            table.add(_LAST.format(asked.growth), peers.RENUM.name, figures["last_mb"])
            most = 1.1 * figures["first_mb"]
            table.limit(_LAST.format(asked.growth), "no growth", lambda m: m[ours] <= most)
    table.compare(_RUNS, ours, peers.RAW_DURABLE.name, at_least=0.5)
    table.compare(_RUNS, ours, peers.LANGGRAPH.name, at_least=3.5)
    table.compare(_RUNS, ours, peers.DBOS.name, at_least=4.5)
    table.limit(_CPU, f"{ours}: at most 4", lambda m: m.get(ours, 0) <= 4)
    if asked.at_once <= 200:
        table.limit(_MEMORY, f"{ours}: at most 100", lambda m: m.get(ours, 0) <= 100)
    table.limit(_ERRORS, f"{ours}: none", lambda m: m.get(ours, 0) == 0)
    print(table)
    return 1 if table.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
