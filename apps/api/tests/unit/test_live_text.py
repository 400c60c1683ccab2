"""What a run says is told in pieces: at once, then at most so often, and all of it."""

import asyncio

from app.usecases.agent_runs import _LiveText


async def test_the_first_piece_is_told_at_once_and_the_next_together() -> None:
    told: list[tuple[int, str]] = []
    with _LiveText(lambda offset, text: told.append((offset, text)), every_s=0.05) as text:
        for word in ("one ", "two ", "três ", "🎯 "):
            await text.add(word)
        assert told == [(0, "one ")]
        # Nothing more is said: it is told all the same.
        await asyncio.sleep(0.2)
        assert told == [(0, "one "), (4, "two três 🎯 ")]
        await text.add("five ")
        assert told[-1] == (15, "five ")
        await text.add("six")
    assert told[-1] == (20, "six")  # what waits at the end
    await asyncio.sleep(0.1)
    assert len(told) == 4
