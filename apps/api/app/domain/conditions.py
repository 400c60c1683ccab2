"""Conditions of an agent: `{field, operator, value}`, decided from what a run has so far."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from annotated_types import Len

from app.domain.nesting import deeper_than

#: Stands for a field that is not there: unequal to everything, and never an error.
MISSING: Final = object()

_FIELD = re.compile(
    r"initial_prompt"
    r"|context\.(?P<context>[^\s].*)"
    r"|results\.(?P<key>[a-z0-9_-]+)\.(?:status|output|json(?:\.(?P<path>[^\s].*))?)"
)

_INDEX = re.compile(r"[0-9]{1,9}")
#: A number as people and JSON write it; Python would also read `1_000` and `infinity`.
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*", re.ASCII)
MAX_VALUE_DEPTH = 5
#: What an agent can have become when another one looks at it.
_STATUSES = ("completed", "failed", "skipped")


class Operator(StrEnum):
    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    GREATER_THAN = "greater_than"
    GREATER_OR_EQUAL = "greater_or_equal"
    LESS_THAN = "less_than"
    LESS_OR_EQUAL = "less_or_equal"
    IN = "in"
    NOT_IN = "not_in"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"


#: Operators that are the negation of another one, so that a missing field makes them true.
_NEGATIONS: Final = {
    Operator.NOT_EQUALS: Operator.EQUALS,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_EXISTS: Operator.EXISTS,
}
_ORDERINGS: Final = (
    Operator.GREATER_THAN,
    Operator.GREATER_OR_EQUAL,
    Operator.LESS_THAN,
    Operator.LESS_OR_EQUAL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison; the grammar of `field` is in api.md §3."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by Pydantic, never written

    field: Annotated[str, Len(1, 500)]
    operator: Operator
    value: object = None

    @property
    def source(self) -> str | None:
        """The key of the agent whose result is looked at, if any."""
        match = _FIELD.fullmatch(self.field)
        return match["key"] if match else None

    def fault(self) -> tuple[str, str] | None:
        """What is wrong with it as (member, message), or None."""
        if not _FIELD.fullmatch(self.field):
            return "field", (
                "Must be initial_prompt, context.<path>, results.<key>.status, "
                "results.<key>.output or results.<key>.json.<path>."
            )
        if self.operator in (Operator.EXISTS, Operator.NOT_EXISTS):
            return None
        if deeper_than(MAX_VALUE_DEPTH, self.value):
            return "value", f"Must be nested at most {MAX_VALUE_DEPTH} levels deep."
        if self._asks_for_status() and (unknown := self._unknown_statuses()):
            return "value", (
                f"An agent that has ended is {', '.join(_STATUSES)}, never {unknown[0]!r}."
            )
        value, wanted = self.value, None
        if value is None:
            wanted = "a value; exists and not_exists tell whether there is one"
        elif self.operator in (Operator.IN, Operator.NOT_IN):
            wanted = None if isinstance(value, list | tuple) else "a list"
        elif self.operator in _ORDERINGS:
            fits = isinstance(value, str | int | float) and not isinstance(value, bool)
            wanted = None if fits else "a number or a text"
        elif self.operator is Operator.STARTS_WITH:
            wanted = None if isinstance(value, str) else "a text"
        return ("value", f"The operator {self.operator} needs {wanted}.") if wanted else None

    def _asks_for_status(self) -> bool:
        compares = (Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN, Operator.NOT_IN)
        return self.field.endswith(".status") and bool(self.source) and self.operator in compares

    def _unknown_statuses(self) -> list[object]:
        values = self.value if isinstance(self.value, list | tuple) else [self.value]
        return [v for v in values if v is not None and v not in _STATUSES]

    def holds(self, facts: Mapping[str, object]) -> bool:
        """
        Whether the condition is true of *facts*:
        `{"initial_prompt": str, "context": {...}, "results": {key: {"status", "output"}}}`.
        """
        positive = _NEGATIONS.get(self.operator)
        if positive is not None:
            return not _compare(positive, _look_up(self.field, facts), self.value)
        return _compare(self.operator, _look_up(self.field, facts), self.value)


def _look_up(field: str, facts: Mapping[str, object]) -> object:
    root, _, rest = field.partition(".")
    if root != "results":
        return _walk(facts.get(root, MISSING), rest)
    key, _, rest = rest.partition(".")
    member, _, path = rest.partition(".")
    result = _walk(facts["results"], key)
    if member != "json":
        return _walk(result, member)
    output = _walk(result, "output")
    if not isinstance(output, str):
        return MISSING
    try:
        return _walk(json.loads(output), path)
    except (ValueError, RecursionError):
        return MISSING


def _walk(value: object, path: str) -> object:
    for name in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(name, MISSING)
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return MISSING if value is None else value


def _compare(operator: Operator, actual: object, expected: object) -> bool:
    if actual is MISSING:
        return False
    match operator:
        case Operator.EXISTS:
            return True
        case Operator.EQUALS:
            return _same(actual, expected)
        case Operator.IN:
            return isinstance(expected, list | tuple) and any(_same(actual, e) for e in expected)
        case Operator.CONTAINS:
            if isinstance(actual, str):
                return isinstance(expected, str) and expected in actual
            return isinstance(actual, list | Mapping) and any(_same(a, expected) for a in actual)
        case Operator.STARTS_WITH:
            return (
                isinstance(actual, str)
                and isinstance(expected, str)
                and actual.startswith(expected)
            )
    return _ordered(operator, actual, expected)


def _ordered(operator: Operator, actual: object, expected: object) -> bool:
    left: float | str | None
    right: float | str | None
    if isinstance(expected, str):
        left, right = (actual if isinstance(actual, str) else None), expected
    else:
        left, right = _number(actual), _number(expected)
    if left is None or right is None:
        return False
    match operator:
        case Operator.GREATER_THAN:
            return left > right  # type: ignore[operator]  # both are of one type by now
        case Operator.GREATER_OR_EQUAL:
            return left >= right  # type: ignore[operator]
        case Operator.LESS_THAN:
            return left < right  # type: ignore[operator]
    return left <= right  # type: ignore[operator]


def _same(actual: object, expected: object) -> bool:
    """JSON equality, except that a text that is a number equals that number: agents write text."""
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, list) and isinstance(expected, list | tuple):
        return len(actual) == len(expected) and all(map(_same, actual, expected))
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        return actual.keys() == expected.keys() and all(
            _same(actual[k], expected[k]) for k in actual
        )
    if isinstance(expected, int | float) and isinstance(actual, str):
        return _number(actual) == expected
    return actual == expected


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number else None
