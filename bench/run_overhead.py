"""
`python -m bench.run_overhead`: what a run costs beside the agents themselves.

A sequential run of three agents and a parallel run of ten, against agents that take no time: by
Renum, by what it is measured against, and by plain asyncio as the limit. One run at a time, all
candidates in turn, each in a fresh process.
"""

import argparse
import subprocess
import sys

from bench.peers import side_by_side as peers
from bench.peers.harness import IN_A_ROW
from bench.table import Table

_SEQUENTIAL = "sequential run of 3, p50 in ms"
_PARALLEL = "parallel run of 10, p50 in ms"
_ADDED = "added to raw for each of 3 steps, ms"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.run_overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument(
        "--only", action="append", choices=[c.module for c in peers.ALL], default=[]
    )
    asked = parser.parse_args()
    candidates = peers.chosen(asked.only)
    table = Table([c.name for c in candidates])
    with peers.shared_services() as bench:
        for _ in range(asked.rounds):
            raw = 0.0
            for candidate in candidates:
                try:
                    sequential = bench.measure(candidate, "sequential", seconds=asked.seconds)
                    parallel = bench.measure(candidate, "parallel", seconds=asked.seconds)
                except subprocess.SubprocessError as error:
                    print(f"{candidate.name} was not measured: {error}", file=sys.stderr)
                    continue
                table.add(_SEQUENTIAL, candidate.name, sequential["p50_ms"])
                table.add("CPU of a sequential run, ms", candidate.name, sequential["cpu_ms"])
                if candidate is peers.RAW:
                    raw = sequential["p50_ms"]
                elif raw:
                    added = (sequential["p50_ms"] - raw) / IN_A_ROW
                    table.add(_ADDED, candidate.name, added)
                table.add(_PARALLEL, candidate.name, parallel["p50_ms"])
                table.add("CPU of a parallel run, ms", candidate.name, parallel["cpu_ms"])
    ours = peers.RENUM.name
    table.compare(_ADDED, ours, peers.RAW_DURABLE.name, at_most=1.7)
    table.compare(_ADDED, ours, peers.LANGGRAPH.name, at_most=1 / 2)
    table.compare(_ADDED, ours, peers.DBOS.name, at_most=1 / 3)
    table.compare(_PARALLEL, ours, peers.RAW_DURABLE.name, at_most=1.6)
    table.compare(_PARALLEL, ours, peers.LANGGRAPH.name, at_most=0.6)
    table.compare(_PARALLEL, ours, peers.DBOS.name, at_most=0.25)
    print(table)
    return 1 if table.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
