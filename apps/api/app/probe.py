"""
Whether a process of ours is well, for container engines, deployments and people.

    python -m app.probe [--wait S] [--times N] [--version V] URL

It asks an API, or a worker with `--port` (its root, such as http://127.0.0.1:8000), whether it is
ready. The exit code is 0 when all is well and 1 otherwise, with the reason on standard error.

Standard library only: images need no curl, and this file also runs on its own, anywhere.
"""

import argparse
import json
import sys
import time
import urllib.request
from typing import Any

LIMIT_S = 3.0
PAUSE_S = 0.5


class NotWell(Exception):
    """The process does not do what it should; the message says what was seen instead."""


def ready(url: str, version: str | None = None) -> None:
    """The process at *url* is ready, and of that *version*. Raises NotWell."""
    if version is not None:
        found = _read(f"{url}/health").get("version")
        if found != version:
            raise NotWell(f"version {found} answers, not {version}")
    if (status := _read(f"{url}/health/ready").get("status")) != "ready":
        raise NotWell(f"it says that it is {status}")


def wait_until_ready(url: str, version: str | None, *, wait_s: float, times: int) -> None:
    """
    Ask until *url* was ready *times* times in a row: one good answer may come from a process
    that is about to fall, or from the one that is about to be replaced. Raises NotWell.
    """
    give_up_at = time.monotonic() + wait_s
    in_a_row = 0
    while True:
        try:
            ready(url, version)
        except NotWell:
            in_a_row = 0
            if time.monotonic() >= give_up_at:
                raise
        else:
            in_a_row += 1
            if in_a_row >= times:
                return
        time.sleep(PAUSE_S)


def _read(url: str) -> dict[str, Any]:
    # Without the proxies of the environment: the address is one of ours.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=LIMIT_S) as answer:
            body = json.load(answer)
    except (OSError, ValueError) as error:
        raise NotWell(f"{url}: {error}") from error
    if not isinstance(body, dict):
        raise NotWell(f"{url}: this is not Renum")
    return body


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app.probe", description=__doc__.split("\n")[1])
    parser.add_argument("url", metavar="URL", help="the root of an API or of a worker")
    parser.add_argument("--wait", type=float, default=0.0, metavar="S", help="try for so long")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="so often in a row")
    parser.add_argument("--version", metavar="V", help="the version that has to answer")
    return parser.parse_args()


def main() -> None:
    asked = _arguments()
    try:
        wait_until_ready(asked.url.rstrip("/"), asked.version, wait_s=asked.wait, times=asked.times)
    except NotWell as error:
        sys.exit(f"not well: {error}")


if __name__ == "__main__":
    main()
