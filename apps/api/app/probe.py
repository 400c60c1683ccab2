"""
Whether a process of ours is well, for container engines, deployments and people.

    python -m app.probe [--wait S] [--times N] [--version V] URL
    python -m app.probe --fresh S FILE

The first asks an API process (its root, such as http://127.0.0.1:8000) whether it is ready. The
second looks at the file that `renum-api worker --alive-file FILE` touches every few seconds. The
exit code is 0 when all is well and 1 otherwise, with the reason on standard error.

Standard library only: images need no curl, and this file also runs on its own, anywhere.
"""

import argparse
import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

LIMIT_S = 3.0
PAUSE_S = 0.5


class NotWell(Exception):
    """The process does not do what it should; the message says what was seen instead."""


def ready(url: str, version: str | None = None) -> None:
    """The API at *url* takes requests, and is of that *version*. Raises NotWell."""
    if version is not None:
        found = _read(f"{url}/health").get("version")
        if found != version:
            raise NotWell(f"version {found} answers, not {version}")
    if (status := _read(f"{url}/health/ready").get("status")) != "ready":
        raise NotWell(f"it says that it is {status}")


def fresh(file: Path, within_s: float) -> None:
    """*file* was touched in the last *within_s* seconds. Raises NotWell."""
    try:
        age_s = time.time() - file.stat().st_mtime
    except OSError as error:
        raise NotWell(f"{file}: {error.strerror}") from error
    if age_s > within_s:
        raise NotWell(f"{file} was touched {age_s:.0f} s ago")


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
    parser.add_argument("target", help="the root of an API, or with --fresh a file")
    parser.add_argument("--fresh", type=float, metavar="S", help="greatest age of the file")
    parser.add_argument("--wait", type=float, default=0.0, metavar="S", help="try for so long")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="so often in a row")
    parser.add_argument("--version", metavar="V", help="the version that has to answer")
    return parser.parse_args()


def main() -> None:
    asked = _arguments()
    try:
        if asked.fresh is not None:
            fresh(Path(asked.target), asked.fresh)
        else:
            wait_until_ready(
                asked.target.rstrip("/"), asked.version, wait_s=asked.wait, times=asked.times
            )
    except NotWell as error:
        sys.exit(f"not well: {error}")


if __name__ == "__main__":
    main()
