"""One agent's run at Suna: started exactly once, followed, and made an outcome of at its end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from app.domain.agents import (
    AgentNotFound,
    Answer,
    RunLost,
    RunRef,
    RunState,
    RunStatus,
    StartFailed,
    StartUnknown,
    SunaBusy,
    SunaRefused,
    SunaTokenExpired,
    SunaUnavailable,
)
from app.domain.execution_errors import Fenced
from app.domain.results import AgentResult, Attachment
from app.domain.retry import Failure
from app.usecases.ports import AgentRuntime, Clock

logger = logging.getLogger(__name__)


#: Stores where the attempt runs.
Attach = Callable[[RunRef], Awaitable[Attachment]]
#: Takes text of a running agent, and how many characters came before it.
Tell = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the engine waits, in seconds."""

    #: Between looks for a run whose start is unknown: Suna may still be working on the request.
    look_again: tuple[float, ...] = (1.0, 3.0, 6.0)
    #: Before asking again while Suna is away or full: the first time, and at most.
    away: tuple[float, float] = (1.0, 30.0)
    busy: tuple[float, float] = (10.0, 60.0)
    #: Refusals to show a run that works, after which they are believed.
    doubts: int = 5
    #: Between chunks of live text, per agent.
    output: float = 0.1
    #: Stretches the backoff between attempts; 0 in tests that have no time.
    backoff: float = 1.0


class AgentRuns:
    """Runs of any agent of one user; knows nothing of steps and their order."""

    def __init__(self, runtime: AgentRuntime, clock: Clock, pace: Pace) -> None:
        self._runtime, self._clock, self._pace = runtime, clock, pace

    async def start(
        self, result: AgentResult, prompt: str, *, perhaps_started: bool, attach: Attach
    ) -> RunRef:
        """
        Start the agent exactly once and remember where; when it was `perhaps_started`, look for
        that run first.

        Raises StartFailed when it surely does not run, StartUnknown when nobody can tell, Fenced
        when somebody else drives the execution by now, and what `AgentRuntime.start` does.
        """
        if perhaps_started and (run := await self.recover(result, prompt, attach)):
            return run
        try:
            run = await self._start(result, prompt)
        except StartUnknown as error:
            if run := await self.recover(result, prompt, attach):
                return run
            raise StartFailed(str(error), wait_s=error.wait_s) from error
        match await attach(run):
            case Attachment.SUPERSEDED:
                await self._stop_surplus(run)
                raise Fenced("Somebody else has started this agent.")
            case Attachment.TAKEN:
                # A step that was asked the same, and whose own answer was lost, took it for its
                # run: then the run that it has lost serves this one.
                if found := await self.recover(result, prompt, attach):
                    return found
                raise StartFailed("The run was taken for that of another agent.")
        return run

    async def recover(self, result: AgentResult, prompt: str, attach: Attach) -> RunRef | None:
        """
        The run of a start that may have happened; None when it surely has not.

        However long Suna is away meanwhile: a run that nobody knows costs money too. Raises
        StartUnknown when nobody can tell.
        """
        # Suna may still be working on what it was asked: nothing found once means little.
        looks = iter((*self._pace.look_again, None))
        away = self._pace.away[0]
        while True:
            try:
                for run in await self._candidates(result, prompt):
                    match await attach(run):
                        case Attachment.OURS:
                            return run
                        case Attachment.SUPERSEDED:
                            raise Fenced("Somebody else drives this agent.")
            except SunaUnavailable as error:
                logger.warning("a run cannot be looked for: %s", error)
                await asyncio.sleep(max(away, error.wait_s or 0.0))
                away = min(self._pace.away[1], away * 2)
                continue
            except (SunaRefused, AgentNotFound) as error:
                raise StartUnknown(f"It is unknown whether the agent runs. {error}") from error
            if (pause := next(looks)) is None:
                return None
            await asyncio.sleep(pause)

    async def _candidates(self, result: AgentResult, prompt: str) -> Sequence[RunRef]:
        assert result.run_key is not None  # noqa: S101  an attempt always has one
        if await self._runtime.may_repeat_start():
            try:
                return [await self._start(result, prompt)]
            except (StartUnknown, SunaBusy) as error:
                raise SunaUnavailable(str(error), wait_s=error.wait_s) from error
        return await self._runtime.find(
            result.agent_id,
            prompt,
            key=result.run_key,
            since=result.attempt_at or self._clock(),
        )

    async def _stop_surplus(self, run: RunRef) -> None:
        """A worker that stood still for long has started what another one had started already."""
        logger.error("run %s was started although another worker drives it: stopping", run.run_id)
        try:
            await self._runtime.stop(run)
        except (SunaUnavailable, SunaRefused, RunLost) as error:
            logger.warning("surplus run %s was not stopped: %s", run.run_id, error)

    async def _start(self, result: AgentResult, prompt: str) -> RunRef:
        assert result.run_key is not None  # noqa: S101  an attempt always has one
        return await self._runtime.start(result.agent_id, prompt, key=result.run_key)

    async def follow(self, run: RunRef, tell: Tell) -> Answer | Failure:
        """
        Wait for the end, however long Suna is away meanwhile: the run costs money already.
        *tell* is given what the agent says while it works.

        A refusal, or a run that Suna does not know, is believed when it is said again and again: a
        proxy may say so for a moment. Raises RunLost, SunaRefused.
        """
        delay = self._pace.away[0]
        doubts = 0
        while True:
            try:
                # A new one each time: a stream that is begun again repeats itself.
                with _LiveText(tell, self._pace.output) as text:
                    state = await self._runtime.follow(run, text.add)
                return await self._conclude(run, state)
            except SunaUnavailable as error:
                logger.warning("run %s cannot be followed: %s", run.run_id, error)
                await asyncio.sleep(max(delay, error.wait_s or 0.0))
            except SunaTokenExpired:
                raise  # ours to say, and no different a moment later
            except (SunaRefused, RunLost) as error:
                doubts += 1
                if doubts >= self._pace.doubts:
                    raise
                logger.warning("run %s cannot be seen: %s", run.run_id, error)
                await asyncio.sleep(delay)
            delay = min(self._pace.away[1], delay * 2)

    async def _conclude(self, run: RunRef, state: RunState) -> Answer | Failure:
        if state.error:
            logger.warning("run %s ended %s: %s", run.run_id, state.status, state.error)
        match state.status:
            case RunStatus.COMPLETED:
                answer = await self._runtime.answer(run)
                if answer.text.strip() or answer.needs_input:
                    return answer
                return Failure(
                    code="agent_no_output",
                    message="The agent ended without an answer.",
                    retryable=True,
                )
            case RunStatus.STOPPED:
                return Failure(
                    code="agent_stopped",
                    message="The run was stopped at Suna, not by Renum; its credit may be used up.",
                    retryable=False,
                )
        return Failure(
            code="agent_failed", message="The agent's run failed at Suna.", retryable=True
        )


class _LiveText:
    """Gathers what a run says, so that watchers do not get every word in a message of its own."""

    def __init__(self, tell: Tell, every_s: float) -> None:
        self._tell = tell
        self._every_s = every_s
        self._waiting = ""
        self._offset = 0
        #: While it stands, what comes waits for it.
        self._timer: asyncio.TimerHandle | None = None

    async def add(self, text: str) -> None:
        self._waiting += text
        if self._timer is None:
            self._tell_waiting()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting:
            self._tell(self._offset, self._waiting)

    def _tell_waiting(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        text, self._waiting = self._waiting, ""
        self._tell(self._offset, text)
        self._offset += len(text)
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._tell_waiting)
