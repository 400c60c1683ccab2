"""One agent's run at Suna: started exactly once, followed, and made an outcome of at its end."""

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

from app.domain.agents import Answer, RunRef, RunState, RunStatus, StartUnknown, SunaUnavailable
from app.domain.execution import Execution
from app.domain.results import AgentResult
from app.domain.retry import Failure
from app.usecases.ports import AgentRuntime, Clock, LiveOutput

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the engine waits, in seconds."""

    #: Between looks for a run whose start is unknown: Suna may still be working on the request.
    look_again: tuple[float, ...] = (1.0, 3.0, 6.0)
    #: Before the first and, doubling, up to the last try to follow a run while Suna is away.
    away_first: float = 1.0
    away_last: float = 30.0
    #: Before starting again when Suna runs as many agents as it may.
    busy: float = 10.0
    #: Between chunks of live text, per agent.
    output: float = 0.1
    #: Stretches the backoff between attempts; 0 in tests that have no time.
    backoff: float = 1.0


class AgentRuns:
    """Runs of any agent; knows nothing of steps and their order."""

    def __init__(self, runtime: AgentRuntime, output: LiveOutput, clock: Clock, pace: Pace) -> None:
        self._runtime, self._output, self._clock, self._pace = runtime, output, clock, pace

    async def start(self, result: AgentResult, prompt: str, *, perhaps_started: bool) -> RunRef:
        """
        Start the agent exactly once; when it was `perhaps_started`, look for that run first.

        Raises StartUnknown when nobody can tell whether it runs now, and what
        `AgentRuntime.start` does.
        """
        key = result.run_key
        assert key is not None  # noqa: S101  an attempt always has one
        if perhaps_started and (found := await self._find(result, prompt, key)):
            return found
        try:
            return await self._runtime.start(result.agent_id, prompt, key=key)
        except StartUnknown:
            if found := await self._find(result, prompt, key):
                return found
            raise

    async def follow(
        self, execution: Execution, result: AgentResult, run: RunRef
    ) -> Answer | Failure:
        """
        Wait for the end, however long Suna is away meanwhile: the run costs money already.

        Raises RunLost.
        """
        delay = self._pace.away_first
        while True:
            chunks = _Chunks(self._output, execution, result, self._pace.output)
            try:
                state = await self._runtime.follow(run, chunks.add)
                await chunks.flush()
                return await self._conclude(run, state)
            except SunaUnavailable as error:
                logger.warning("run %s cannot be followed: %s", run.run_id, error)
                await asyncio.sleep(delay)
                delay = min(self._pace.away_last, delay * 2)

    async def _find(self, result: AgentResult, prompt: str, key: UUID) -> RunRef | None:
        """Look for a run that may have been started, until Suna surely did what it was asked."""
        since = result.attempt_at or self._clock()
        for delay in (*self._pace.look_again, None):
            found = await self._runtime.find(result.agent_id, prompt, key=key, since=since)
            old = (self._clock() - since).total_seconds() > sum(self._pace.look_again)
            if found or delay is None or old:
                return found
            await asyncio.sleep(delay)
        return None

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


class _Chunks:
    """Gathers live text, so that watchers do not get every word in a message of its own."""

    def __init__(
        self, output: LiveOutput, execution: Execution, result: AgentResult, every_s: float
    ) -> None:
        self._output, self._execution, self._result = output, execution, result
        self._every_s = every_s
        self._waiting = ""
        self._offset = 0
        self._due = 0.0

    async def add(self, text: str) -> None:
        self._waiting += text
        if asyncio.get_running_loop().time() >= self._due:
            await self.flush()

    async def flush(self) -> None:
        if not self._waiting:
            return
        text, self._waiting = self._waiting, ""
        self._due = asyncio.get_running_loop().time() + self._every_s
        await self._output.publish(
            self._execution.user_id,
            execution_id=self._execution.id,
            result=self._result,
            offset=self._offset,
            text=text,
        )
        self._offset += len(text)
