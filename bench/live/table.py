"""Figures of several rounds, and the limits that they are held to."""

import statistics
from collections import defaultdict
from collections.abc import Callable

_Holds = Callable[[dict[str, float]], bool]


class Table:
    """Medians by what was measured and of whom, as Markdown."""

    def __init__(self) -> None:
        self._figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._limits: dict[str, tuple[str, _Holds]] = {}
        self._full: set[str] = set()

    def add(self, what: str, whose: str, value: float) -> None:
        self._figures[what][whose].append(value)

    def limit(self, what: str, said: str, holds: _Holds) -> None:
        """*holds* is given the medians by server."""
        self._limits[what] = (said, holds)

    def missed(self) -> list[str]:
        """Which limits do not hold."""
        return [
            f"{what}: wanted {said}"
            for what, (said, holds) in self._limits.items()
            if not holds(self._medians(what))
        ]

    def __str__(self) -> str:
        lines = ["| | bare | Renum | ratio | wanted |", "|---|---:|---:|---:|---|"]
        for what in self._figures:
            medians = self._medians(what)
            bare, ours = medians.get("bare"), medians.get("Renum")
            ratio = f"{ours / bare:.2f}" if bare and ours is not None else ""
            said, holds = self._limits.get(what, ("", lambda _: True))
            missed = "" if holds(medians) else " **missed**"
            lines.append(f"| {what} | {_said(bare)} | {_said(ours)} | {ratio} | {said}{missed} |")
        return "\n".join(lines)

    def _medians(self, what: str) -> dict[str, float]:
        return {whose: statistics.median(v) for whose, v in self._figures[what].items()}


def _said(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
