"""
Drives executions: starts agents, follows them, stores what they did, starts the next.

Rows are the only truth. Whoever claims an execution continues from its rows: a finished agent is
never run again, a running one is followed again, one whose start is unknown is looked for first.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from uuid import UUID

from app.domain.agents import (
    AgentNotFound,
    Answer,
    RunLost,
    RunRef,
    RunState,
    RunStatus,
    StartUnknown,
    SunaBusy,
    SunaRefused,
    SunaUnavailable,
)
from app.domain.execution import Execution, Fenced
from app.domain.results import AgentResult
from app.domain.retry import Failure, retry_delay_s
from app.domain.templates import TemplateFailed
from app.domain.texts import TextField
from app.usecases.executions import store, whole_input
from app.usecases.ports import AgentRuntime, Clock, Database, LiveOutput, NewId, Templates
from app.usecases.services import Limits

logger = logging.getLogger(__name__)

#: Claims without progress after which an execution is given up instead of looping for ever.
MAX_CLAIMS = 10

_TIMEOUT = Failure(
    code="execution_timeout", message="The execution's time is over.", retryable=False
)
_GAVE_UP = Failure(
    code="engine_gave_up",
    message="The engine tried again and again without getting any further.",
    retryable=False,
)


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


@dataclass(frozen=True, slots=True)
class Wait:
    """The attempt could not begin; it does not count."""

    failure: Failure
    delay_s: float


@dataclass(frozen=True, slots=True)
class StillRuns:
    """We stop waiting for an agent that still runs."""

    failure: Failure


Outcome = Answer | Failure | Wait | StillRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Everything that driving an execution needs."""

    db: Database
    runtime: AgentRuntime
    templates: Templates
    output: LiveOutput
    limits: Limits
    clock: Clock
    new_id: NewId
    rng: Random
    pace: Pace = Pace()

    async def drive(self, execution_id: UUID) -> None:
        """
        Run an execution to its end, from wherever it stands.

        Returns also when somebody else has taken it over. Raises what is not foreseen: the
        queue then calls again, and the rows say where to go on.
        """
        execution = await self._claim(execution_id)
        if execution is None:
            return
        try:
            if execution.claims > MAX_CLAIMS:
                await self._give_up(execution, _GAVE_UP)
            else:
                await self._drive_until_deadline(execution)
        except* Fenced:
            logger.info("execution %s was taken over or cancelled", execution_id)

    async def _drive_until_deadline(self, execution: Execution) -> None:
        left = execution.deadline_at - self.clock()
        try:
            async with asyncio.timeout(max(0.0, left.total_seconds())):
                await _Drive(self, execution).run()
        except TimeoutError:
            # What was in memory may be half-done: the rows are read anew.
            current = await self._claim(execution.id)
            if current is not None:
                await self._give_up(current, _TIMEOUT)

    async def _claim(self, execution_id: UUID) -> Execution | None:
        async with self.db.transaction() as tx:
            return await tx.executions.claim(execution_id)

    async def _give_up(self, execution: Execution, failure: Failure) -> None:
        execution.give_up(failure, self.clock(), self.new_id)
        await self.save(execution)

    async def save(self, execution: Execution) -> None:
        """One transaction, usually one round trip."""
        async with self.db.transaction() as tx:
            await store(tx, execution, self.limits, now=self.clock())


class _Drive:
    """One claim of one execution; gone with the process, or with the claim."""

    def __init__(self, engine: Engine, execution: Execution) -> None:
        self._engine = engine
        self._execution = execution
        # Steps change the execution in turn: each change is stored before the next one begins.
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for result in self._execution.running():
                group.create_task(self._run_step(group, result, taken_over=True))
            await self._change(group, lambda _now: None)

    async def _run_step(
        self, group: asyncio.TaskGroup, result: AgentResult, *, taken_over: bool = False
    ) -> None:
        while not result.status.is_final:
            if result.due_at is not None:
                await self._begin_again(result)
                taken_over = False
            outcome = await self._attempt(result, taken_over=taken_over)
            taken_over = False
            await self._change(group, partial(self._record, result, outcome))

    async def _begin_again(self, result: AgentResult) -> None:
        engine = self._engine
        if result.due_at is not None:
            await asyncio.sleep(max(0.0, (result.due_at - engine.clock()).total_seconds()))
        async with self._turn:
            self._execution.begin_again(result.key, engine.clock(), engine.new_id)
            await engine.save(self._execution)

    async def _change(self, group: asyncio.TaskGroup, change: Callable[[datetime], None]) -> None:
        """Apply a change, do what it allows, store both at once, start what may start."""
        engine, execution = self._engine, self._execution
        async with self._turn:
            now = engine.clock()
            change(now)
            await self._recall(execution.outputs_for_conditions())
            begun = execution.advance(now, engine.new_id)
            if execution.has_changed:
                await engine.save(execution)
        for result in begun:
            group.create_task(self._run_step(group, result))

    async def _recall(self, keys: Sequence[str]) -> None:
        """Have outputs at hand that are too long for their rows."""
        if keys:
            async with self._engine.db.reading() as tx:
                texts = await tx.executions.texts(self._execution.id, TextField.OUTPUT, keys)
            self._execution.recall(texts)

    def _record(self, result: AgentResult, outcome: Outcome, now: datetime) -> None:
        execution = self._execution
        match outcome:
            case Answer():
                execution.complete(result.key, outcome, now)
            case Failure():
                delay = retry_delay_s(
                    outcome,
                    result.attempts,
                    retry_failed=execution.config.retry_failed,
                    rng=self._engine.rng,
                )
                stretched = None if delay is None else delay * self._engine.pace.backoff
                execution.fail(result.key, outcome, now, retry_in_s=stretched)
            case StillRuns():
                execution.fail(result.key, outcome.failure, now, retry_in_s=None, still_runs=True)
            case Wait():
                execution.wait(result.key, outcome.failure, now, delay_s=outcome.delay_s)

    async def _attempt(self, result: AgentResult, *, taken_over: bool) -> Outcome:
        minutes = self._execution.plan.step(result.key).timeout_minutes
        try:
            async with asyncio.timeout(self._left_s(result, minutes)):
                if result.run is None:
                    run = await self._start(result, taken_over=taken_over)
                    await self._attach(result, run)
                else:
                    run = result.run
                return await self._follow(result, run)
        except TimeoutError:
            late = Failure(
                code="agent_timeout",
                message=f"The agent did not end within {minutes} min.",
                retryable=False,
            )
            return StillRuns(late)
        except SunaBusy as error:
            failure = Failure(code=error.code, message=str(error), retryable=True)
            return Wait(failure, error.wait_s or self._engine.pace.busy)
        except SunaUnavailable as error:
            return Failure(
                code=error.code, message=str(error), retryable=True, retry_after_s=error.wait_s
            )
        except (StartUnknown, RunLost) as error:
            return Failure(code=error.code, message=str(error), retryable=True)
        except (SunaRefused, AgentNotFound, TemplateFailed) as error:
            return Failure(code=error.code, message=str(error), retryable=False)

    def _left_s(self, result: AgentResult, minutes: int | None) -> float | None:
        if minutes is None or result.started_at is None:
            return None
        ends = result.started_at + timedelta(minutes=minutes)
        return max(0.0, (ends - self._engine.clock()).total_seconds())

    async def _start(self, result: AgentResult, *, taken_over: bool) -> RunRef:
        """Start the agent exactly once; raises StartUnknown when that cannot be told."""
        key = result.run_key
        assert key is not None  # noqa: S101  an attempt always has one
        # Nothing is started before its input is stored.
        perhaps_started = taken_over and result.input is not None
        prompt = await self._prompt(result)
        if perhaps_started and (found := await self._find(result, prompt, key)):
            return found
        try:
            return await self._engine.runtime.start(result.agent_id, prompt, key=key)
        except StartUnknown:
            if found := await self._find(result, prompt, key):
                return found
            raise

    async def _prompt(self, result: AgentResult) -> str:
        """The whole input of a step, which is stored by then."""
        engine, execution, key = self._engine, self._execution, result.key
        if result.input is not None:
            return await whole_input(engine.db, execution.id, result)
        template, rendered = execution.plan.step(key).input_template, None
        if template is not None:
            async with self._turn:
                await self._recall(execution.outputs_for_input(key))
                facts = execution.facts(execution.plan.earlier(key))
            rendered = await engine.templates.render(template, facts)
        async with self._turn:
            if template is None:
                await self._recall(execution.outputs_for_input(key))
            prompt = execution.prepare(key, rendered)
            await engine.save(execution)
        return prompt

    async def _find(self, result: AgentResult, prompt: str, key: UUID) -> RunRef | None:
        """Look for a run that may have been started, until Suna surely did what it was asked."""
        engine = self._engine
        since = result.attempt_at or engine.clock()
        for delay in (*engine.pace.look_again, None):
            found = await engine.runtime.find(result.agent_id, prompt, key=key, since=since)
            old = (engine.clock() - since).total_seconds() > sum(engine.pace.look_again)
            if found or delay is None or old:
                return found
            await asyncio.sleep(delay)
        return None

    async def _attach(self, result: AgentResult, run: RunRef) -> None:
        self._execution.attach(result.key, run)
        async with self._engine.db.reading() as tx:
            await tx.executions.attach(self._execution.id, result)

    async def _follow(self, result: AgentResult, run: RunRef) -> Outcome:
        """Wait for the end, however long Suna is away meanwhile: the run costs money already."""
        pace = self._engine.pace
        delay = pace.away_first
        while True:
            chunks = _Chunks(self._engine, self._execution, result)
            try:
                state = await self._engine.runtime.follow(run, chunks.add)
                await chunks.flush()
                return await self._conclude(run, state)
            except SunaUnavailable as error:
                logger.warning("run %s cannot be followed: %s", run.run_id, error)
                await asyncio.sleep(delay)
                delay = min(pace.away_last, delay * 2)

    async def _conclude(self, run: RunRef, state: RunState) -> Outcome:
        if state.error:
            logger.warning("run %s ended %s: %s", run.run_id, state.status, state.error)
        match state.status:
            case RunStatus.COMPLETED:
                answer = await self._engine.runtime.answer(run)
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
    """Gathers live text, so that watchers get at most ten chunks a second."""

    def __init__(self, engine: Engine, execution: Execution, result: AgentResult) -> None:
        self._engine, self._execution, self._result = engine, execution, result
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
        self._due = asyncio.get_running_loop().time() + self._engine.pace.output
        await self._engine.output.publish(
            self._execution.user_id,
            execution_id=self._execution.id,
            result=self._result,
            offset=self._offset,
            text=text,
        )
        self._offset += len(text)
