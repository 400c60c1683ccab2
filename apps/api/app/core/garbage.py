"""
Full garbage collections at quiet moments only.

One walks every living object: 60 ms with a thousand executions, in which the event loop stands
still. What is not part of a cycle is freed at once anyway, and young cycles are collected as ever.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.common.tasks import background

#: So many objects are walked in about 20 ms.
_QUIET = 50_000
#: Collected at any moment: a pause is better than no memory.
_FULL = 1_000_000
_NEVER = 1_000_000_000


def settle() -> None:
    """What was made so far lives as long as the process: no collection looks at it again."""
    gc.freeze()


@asynccontextmanager
async def quiet_collector(*, look_s: float = 30.0) -> AsyncIterator[None]:
    """Inside of the block, the oldest generation is collected when there is little of it; that is
    looked at every *look_s* seconds."""
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    try:
        async with background(_collect_when_quiet(look_s), name="garbage"):
            yield
    finally:
        gc.set_threshold(young, middle, old)


async def _collect_when_quiet(look_s: float) -> None:
    while True:
        await asyncio.sleep(look_s)
        if not _QUIET < len(gc.get_objects(generation=2)) < _FULL:
            gc.collect()
