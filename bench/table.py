"""Figures of several rounds, and what they are held to."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_Holds = Callable[[dict[str, float]], bool]


@dataclass(frozen=True)
class _Comparison:
    """A limit of the ratio of two medians."""

    what: str
    whose: str
    to: str
    at_most: float | None
    at_least: float | None

    def holds(self, ratio: float) -> bool:
        return (self.at_most is None or ratio <= self.at_most) and (
            self.at_least is None or ratio >= self.at_least
        )

    @property
    def wanted(self) -> str:
        return f"at most {self.at_most:g}" if self.at_most else f"at least {self.at_least:g}"


class Table:
    """Medians by what was measured and of whom, as Markdown; the ratio is shown of two."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._limits: dict[str, tuple[str, _Holds]] = {}
        self._comparisons: list[_Comparison] = []

    def add(self, what: str, whose: str, value: float) -> None:
        self._figures[what][whose].append(value)

    def limit(self, what: str, said: str, holds: _Holds) -> None:
        """*holds* is given the medians by column."""
        self._limits[what] = (said, holds)

    def compare(
        self,
        what: str,
        whose: str,
        to: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Hold the ratio of the medians of two columns to a limit."""
        self._comparisons.append(_Comparison(what, whose, to, at_most, at_least))

    def missed(self) -> list[str]:
        """Which limits do not hold."""
        absolute = [
            f"{what}: wanted {said}"
            for what, (said, holds) in self._limits.items()
            if not holds(self._medians(what))
        ]
        return absolute + [
            f"{c.what}: {c.whose} is {ratio:.2f} of {c.to}, wanted {c.wanted}"
            for c, ratio in self._ratios()
            if not c.holds(ratio)
        ]

    def __str__(self) -> str:
        two = len(self._columns) == 2
        wanted = bool(self._limits)
        heads = ["", *self._columns, *(["ratio"] if two else []), *(["wanted"] if wanted else [])]
        rule = ["---", *(["---:"] * (len(heads) - 1 - wanted)), *(["---"] if wanted else [])]
        lines = [_line(heads), "|" + "|".join(rule) + "|"]
        for what in self._figures:
            medians = self._medians(what)
            cells = [what, *(_said(medians.get(column)) for column in self._columns)]
            if two:
                first, second = (medians.get(column) for column in self._columns)
                cells.append(f"{second / first:.2f}" if first and second is not None else "")
            if wanted:
                said, holds = self._limits.get(what, ("", lambda _: True))
                cells.append(said if holds(medians) else f"{said} **missed**")
            lines.append(_line(cells))
        if self._ratios():
            lines += ["", _line(["", "ratio", "wanted"]), "|---|---:|---|"]
        for c, ratio in self._ratios():
            said = c.wanted if c.holds(ratio) else f"{c.wanted} **missed**"
            lines.append(_line([f"{c.what}: {c.whose} to {c.to}", f"{ratio:.2f}", said]))
        return "\n".join(lines)

    def _ratios(self) -> list[tuple[_Comparison, float]]:
        """Of those comparisons whose two sides were measured."""
        found = []
        for c in self._comparisons:
            medians = self._medians(c.what)
            if medians.get(c.whose) is not None and medians.get(c.to):
                found.append((c, medians[c.whose] / medians[c.to]))
        return found

    def _medians(self, what: str) -> dict[str, float]:
        return {whose: statistics.median(v) for whose, v in self._figures[what].items()}


def _line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _said(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
