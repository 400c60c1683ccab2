"""
The language of `--script`: which faults happen at which calls.

    script    = item *("," item)
    item      = [operation ":"] fault ["@" call] ["x" times]
    call      = number from 1, counted from the start of the sandbox
    times     = number from 1, or "*" for ever

Without an operation, the fault's natural one is meant; without a call, the next that is not yet
taken. Blanks around items are ignored.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from renum_sandbox.faults import MOST_TIMES, Fault, Faults, Operation, natural, require_possible

# Lazy, so that `429x2` is not a fault of that name.
_ITEM = re.compile(
    r"(?:(?P<operation>[a-z-]+):)?(?P<fault>[a-z0-9-]+?)"
    r"(?:@(?P<at>[0-9]{1,9}))?(?:x(?P<times>[0-9]{1,9}|\*))?"
)


class ScriptError(ValueError):
    """An item of a script makes no sense; the message is one line and names it."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(f"in the script, {item!r}: {reason}")


@dataclass(frozen=True, slots=True)
class Item:
    """One fault; `at` None is the next free call, `times` None is for ever."""

    operation: Operation
    fault: Fault
    at: int | None = None
    times: int | None = 1

    def __str__(self) -> str:
        at = "" if self.at is None else f"@{self.at}"
        times = "*" if self.times is None else self.times
        return f"{self.operation}:{self.fault}{at}" + ("" if times == 1 else f"x{times}")


def parse(script: str) -> list[Item]:
    """
    The items of a script, in order; none for a blank one.

    Raises:
        ScriptError: an item is no item, or names what does not exist or cannot happen there.
    """
    return [_item(text.strip()) for text in script.split(",")] if script.strip() else []


def plan(items: Iterable[Item], faults: Faults) -> None:
    """
    Add all items to `faults`, or none.

    Raises:
        ScriptError: two items want the same call, or one a call that is over.
    """
    with faults.all_or_none():
        for item in items:
            try:
                faults.add(item.operation, item.fault, item.times, at=item.at)
            except ValueError as error:
                raise ScriptError(str(item), str(error)) from error


def _item(text: str) -> Item:
    match = _ITEM.fullmatch(text)
    if match is None:
        raise ScriptError(text, "an item is [OPERATION:]FAULT[@CALL][xTIMES]")
    try:
        fault = Fault(match["fault"])
    except ValueError as error:
        raise ScriptError(text, f"no such fault; possible: {', '.join(Fault)}") from error
    try:
        operation = Operation(match["operation"]) if match["operation"] else natural(fault)
    except ValueError as error:
        raise ScriptError(text, f"no such operation; possible: {', '.join(Operation)}") from error
    try:
        require_possible(operation, fault)
    except ValueError as error:
        raise ScriptError(text, str(error)) from error
    at = int(match["at"]) if match["at"] else None
    if at == 0:
        raise ScriptError(text, "calls are counted from 1")
    times = None if match["times"] == "*" else int(match["times"] or 1)
    if times is not None and not 1 <= times <= MOST_TIMES:
        raise ScriptError(text, f"a fault happens 1 to {MOST_TIMES} times, or x*")
    return Item(operation, fault, at, times)
