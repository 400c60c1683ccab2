"""
How many of the branches of `app` the tests take; fails below a limit.

The figure that pytest-cov ends with mixes lines and branches, and all packages.
"""

import json
import sys
from pathlib import Path

_PACKAGE = "apps/api/app/"


def main(report: Path, at_least: float) -> int:
    files = json.loads(report.read_text())["files"]
    ours = [f["summary"] for name, f in files.items() if name.startswith(_PACKAGE)]
    covered = sum(summary["covered_branches"] for summary in ours)
    total = sum(summary["num_branches"] for summary in ours)
    percent = 100 * covered / total
    print(f"branches of app: {covered} of {total} taken, {percent:.1f} % (at least {at_least:g} %)")
    return int(percent < at_least)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
