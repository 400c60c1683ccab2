"""
`python -m bench.live`: the live stream, side by side with a bare Starlette broadcast server.

Both are asked in turn, each time as a fresh process on the same uvicorn (websockets-sansio,
deflate off). The sockets, which live in this process, and the publisher, a process of its own,
share the machine with the server: so ratios say more than times.

Wanted: at most 30 KB for an idle socket among 5,000; one event at 1,000 and 5,000 sockets within
1.3 times of the bare server; one owner's event among 1,000 sockets within 20 ms (p99, on a quiet
machine); and when 1,000 sockets of one user get 100 events a second, more deliveries than the bare
server, in bounded memory, with those closed that fall behind (1013), which resume without a gap.
"""

import argparse
import resource
import sys

import uvloop

from bench.live import scenarios
from bench.live.servers import Bare, Ours
from bench.stack import running_stack
from bench.table import Table

SECRET = "a shared secret of at least 32 bytes"
_SETTINGS = {
    "JWT_SECRET_KEY": SECRET,
    "WS_MAX_SOCKETS_PER_USER": "10000",
    "LOG_LEVEL": "ERROR",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sockets", type=int, default=5_000, help="at most")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stream of events")
    parser.add_argument(
        "--only", action="append", choices=["idle", "event", "owner", "overload"], default=[]
    )
    asked = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    few = min(1_000, asked.sockets)
    only = asked.only or ["idle", "event", "owner", "overload"]
    table = Table(["bare", "Renum"])
    with running_stack(apis=1, workers=0, settings={**_SETTINGS, "REDIS_URL": ""}) as stack:
        bare, ours = Bare(stack), Ours(stack, SECRET)
        for _ in range(asked.rounds):
            for server in (bare, ours):
                if "idle" in only:
                    uvloop.run(scenarios.idle(table, server, asked.sockets))
                if "event" in only:
                    for sockets in sorted({few, asked.sockets}):
                        uvloop.run(scenarios.one_event(table, server, sockets))
                if "overload" in only:
                    uvloop.run(scenarios.overload(table, server, few, 1.25 * asked.seconds))
                server.stop()
            if "owner" in only:
                uvloop.run(scenarios.owner(table, ours, few, asked.seconds, "NOTIFY"))
    if "owner" in only:
        with running_stack(apis=1, workers=0, settings=_SETTINGS) as stack:
            for _ in range(asked.rounds):
                uvloop.run(scenarios.owner(table, Ours(stack, SECRET), few, asked.seconds, "Redis"))
    print(table)
    missed = table.missed()
    for limit in missed:
        print(f"MISSED {limit}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
