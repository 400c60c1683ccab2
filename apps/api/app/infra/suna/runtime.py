"""Runs agents on Suna: one call is one attempt."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from app.domain.agents import (
    Answer,
    RunLost,
    RunRef,
    RunState,
    RunStatus,
    SunaRefused,
    SunaUnavailable,
)
from app.infra.suna.dialects import DialectFinder
from app.infra.suna.http import SunaHttp

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the adapter waits, in seconds."""

    #: Between looks at a run that no stream tells of; the last one repeats.
    poll: tuple[float, ...] = (0.2, 1.0, 2.0, 5.0)
    #: A run is unknown to Suna for some seconds after its start was answered.
    first_seconds: float = 10.0
    #: The last message may be visible a moment after the run is completed.
    look_again: tuple[float, ...] = (1.0, 2.0)


class SunaAgentRuntime:
    """The `AgentRuntime` port, in one name."""

    def __init__(
        self, http: SunaHttp, dialects: DialectFinder, *, pace: Pace | None = None
    ) -> None:
        self._http = http
        self._dialects = dialects
        self._pace = pace or Pace()

    async def start(self, agent_id: UUID, prompt: str, *, key: UUID) -> RunRef:
        dialect = await self._dialects.find()
        return await dialect.start(self._http, agent_id, prompt, key)

    async def may_repeat_start(self) -> bool:
        return (await self._dialects.find()).idempotent

    async def find(
        self, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> list[RunRef]:
        dialect = await self._dialects.find()
        return await dialect.find(self._http, agent_id, prompt, key=key, since=since)

    async def follow(self, run: RunRef, on_text: Callable[[str], Awaitable[None]]) -> RunState:
        known_by = time.monotonic() + self._pace.first_seconds
        await self._listen(run, on_text, known_by)
        polls = iter(self._pace.poll)
        pause = 0.0
        while (state := await self._known_state(run, known_by)).status is RunStatus.RUNNING:
            pause = next(polls, pause)
            await asyncio.sleep(pause)
        return state

    async def status(self, run: RunRef) -> RunState:
        dialect = await self._dialects.find()
        return await dialect.state(self._http, run)

    async def answer(self, run: RunRef) -> Answer:
        dialect = await self._dialects.find()
        answer = await dialect.answer(self._http, run)
        for pause in self._pace.look_again:
            if answer.text or answer.needs_input:
                break
            await asyncio.sleep(pause)
            answer = await dialect.answer(self._http, run)
        return answer

    async def stop(self, run: RunRef) -> None:
        # A late stop would overwrite the status of a finished run.
        if (await self.status(run)).status is not RunStatus.RUNNING:
            return
        dialect = await self._dialects.find()
        await dialect.stop(self._http, run)
        if (await self.status(run)).status is RunStatus.RUNNING:
            raise SunaUnavailable("Suna accepted the stop, but the run still runs.")

    async def _listen(
        self, run: RunRef, on_text: Callable[[str], Awaitable[None]], known_by: float
    ) -> None:
        """Hand on text for as long as the stream brings some."""
        dialect = await self._dialects.find()
        while True:
            try:
                async with aclosing(dialect.text(self._http, run)) as texts:
                    async for text in texts:
                        await on_text(text)
            except RunLost:
                if time.monotonic() < known_by:
                    await asyncio.sleep(self._pace.poll[0])
                    continue
            except (SunaUnavailable, SunaRefused) as error:
                # Only the text comes later: whether the run may be seen, the status tells.
                _log.info("following by polling", run_id=run.run_id, reason=str(error))
            return

    async def _known_state(self, run: RunRef, known_by: float) -> RunState:
        """The state of a run that may have been started so recently that Suna does not know it."""
        while True:
            try:
                return await self.status(run)
            except RunLost:
                if time.monotonic() >= known_by:
                    raise
                await asyncio.sleep(self._pace.poll[0])
