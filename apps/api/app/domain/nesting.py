"""How deep a value is nested."""

from collections.abc import Iterable, Mapping


def deeper_than(levels: int, value: object) -> bool:
    """
    Whether parsed JSON has more than so many lists and objects one inside the other.

    A loop, because the nesting is the caller's.
    """
    level = _containers([value])
    for _ in range(levels):
        level = _containers(
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        )
    return bool(level)


def _containers(values: Iterable[object]) -> list[Iterable[object]]:
    return [v for v in values if isinstance(v, Mapping | list | tuple)]
