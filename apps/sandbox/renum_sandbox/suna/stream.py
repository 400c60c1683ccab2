"""Following a run by SSE: replay from its start, then live until its end."""

import json
from collections.abc import AsyncIterator, Sequence

from renum_sandbox.context import Sandbox
from renum_sandbox.faults import Fault
from renum_sandbox.suna import script, store
from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.frames import Frame, FrameWriter, event_number
from renum_sandbox.suna.runs import Run, RunStatus
from renum_sandbox.suna.script import Beat

_LONGEST_SLEEP_S = 60.0
_TOGETHER_S = 0.04
"""Words due within this time go out in one write."""

_UNKNOWN = "estimate prep_stage thinking reasoning context_usage degradation timing of_the_future"
_NOISE = (
    ": a comment\n\n" + "".join(f'data: {{"type": "{kind}"}}\n\n' for kind in _UNKNOWN.split())
).encode()


async def follow(
    sandbox: Sandbox, run: Run, *, after: str = "", fault: Fault | None = None
) -> AsyncIterator[bytes]:
    """
    The frames of a run as bytes, several frames at once where they are due together.

    `after` is an `_event_id`: what came up to it is left out (era B). `fault` may be
    `lie-completed`, `no-end` or `noise`. A stop in the older eras also deletes what could be
    replayed.
    """
    writer = FrameWriter(run)
    skip = event_number(after) if run.dialect is Dialect.START else 0
    beats = _beats(sandbox, run)
    was_over = run.status(sandbox.now()) is not RunStatus.RUNNING
    erased = was_over and run.dialect is not Dialect.START and run.stopped_at is not None
    if fault is Fault.LIE_COMPLETED or erased:
        yield _bytes(writer.after_the_end(RunStatus.COMPLETED, sandbox.now()))
        return
    if fault is Fault.NOISE:
        yield _NOISE
    position = 0
    pinged_at = sandbox.now()
    while not sandbox.bell.closing.is_set():
        run = store.run(sandbox.state, run.id) or run
        now = sandbox.now()
        until = run.heard_until(now)
        due: list[Frame] = []
        while position < len(beats) and beats[position].at <= until:
            due += writer.beat(beats[position])
            position += 1
        status = run.status(now)
        if status is not RunStatus.RUNNING:
            writer.finish_with(run)
            if fault is not Fault.NO_END:
                due += writer.after_the_end(status, now) if was_over else writer.ending(status, now)
        fresh = [f for f in due if event_number(f.get("_event_id", "")) > skip] if skip else due
        pings = run.dialect is Dialect.START and now - pinged_at >= sandbox.options.ping_s
        if not fresh and pings:
            fresh = [{"type": "ping"}]
        if fresh:
            pinged_at = now
            yield _bytes(fresh)
        if status is not RunStatus.RUNNING:
            return
        if not fresh:
            # Only after a look at the run with no await since: a ring in between would be lost.
            coming = beats[position] if position < len(beats) else None
            await sandbox.bell.wait(run.id, _until_next(sandbox, run, coming, now, pinged_at))


def _beats(sandbox: Sandbox, run: Run) -> Sequence[Beat]:
    """Of a model run in progress a list that still grows; else all of them."""
    live = sandbox.model_runs.beats(run.id) if sandbox.model_runs else None
    return script.beats(run) if live is None else live


def _until_next(
    sandbox: Sandbox, run: Run, coming: Beat | None, now: float, pinged_at: float
) -> float:
    """Seconds until something is due by the clock: a beat, the end, or a ping."""
    moments = [now + _LONGEST_SLEEP_S]
    if coming is not None:
        moments.append(max(coming.at, now + _TOGETHER_S))
    if run.ends_at is not None:
        moments.append(run.ends_at)
    if run.dialect is Dialect.START:
        moments.append(pinged_at + sandbox.options.ping_s)
    return max(0.0, min(moments) - now)


def _bytes(frames: Sequence[Frame]) -> bytes:
    return "".join(f"data: {json.dumps(f, ensure_ascii=False)}\n\n" for f in frames).encode()
