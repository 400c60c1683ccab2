"""Full garbage collections wait for quiet, and still come."""

import asyncio
import gc
import weakref

from app.core.garbage import quiet_collector


class Cycle:
    def __init__(self) -> None:
        self.me = self


async def test_old_cycles_are_collected_when_it_is_quiet() -> None:
    gc.freeze()  # what the test process has made so far is not ours
    try:
        async with quiet_collector(look_s=0.01):
            cycle = Cycle()
            gc.collect(1)
            gone = weakref.ref(cycle)
            del cycle
            async with asyncio.timeout(20):
                while gone() is not None:
                    await asyncio.sleep(0.01)
    finally:
        gc.unfreeze()


async def test_the_collector_is_left_as_it_was() -> None:
    of_this_process = gc.get_threshold()  # a server of other tests may be running in it
    gc.set_threshold(701, 11, 12)
    try:
        async with quiet_collector():
            assert gc.get_threshold()[:2] == (701, 11)
            assert gc.get_threshold()[2] > 12
        assert gc.get_threshold() == (701, 11, 12)
    finally:
        gc.set_threshold(*of_this_process)
