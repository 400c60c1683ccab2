"""
Drives executions: has agents started and followed, stores what they did, begins the next.

Rows are the only truth. Whoever claims an execution continues from its rows: a finished agent is
never run again, a running one is followed again, one whose start is unknown is looked for first.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from uuid import UUID

from app.domain.agents import (
    AgentNotFound,
    Answer,
    RunLost,
    RunRef,
    StartUnknown,
    SunaBusy,
    SunaRefused,
    SunaUnavailable,
)
from app.domain.execution import Execution
from app.domain.execution_errors import Fenced
from app.domain.results import AgentResult
from app.domain.retry import Failure, retry_delay_s
from app.domain.templates import TemplateFailed
from app.domain.texts import TextField
from app.usecases.agent_runs import AgentRuns, Pace
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
    pace: Pace = field(default_factory=Pace)

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
        self._runs = AgentRuns(engine.runtime, engine.output, engine.clock, engine.pace)
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
                await self._begin_again(result, result.due_at)
                taken_over = False
            outcome = await self._attempt(result, taken_over=taken_over)
            taken_over = False
            await self._change(group, partial(self._record, result, outcome))

    async def _begin_again(self, result: AgentResult, due_at: datetime) -> None:
        engine = self._engine
        await asyncio.sleep(max(0.0, (due_at - engine.clock()).total_seconds()))
        async with self._turn:
            self._execution.begin_again(result.key, engine.clock(), engine.new_id)
            await engine.save(self._execution)

    async def _change(self, group: asyncio.TaskGroup, change: Callable[[datetime], None]) -> None:
        """Apply a change, do what it allows, store both at once, start what may start."""
        engine, execution = self._engine, self._execution
        async with self._turn:
            now = engine.clock()
            change(now)
            await self._recall(execution.inputs.missing_for_conditions())
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
                    # Nothing is started before its input is stored.
                    perhaps_started = taken_over and result.input is not None
                    prompt = await self._prompt(result)
                    run = await self._runs.start(result, prompt, perhaps_started=perhaps_started)
                    await self._attach(result, run)
                else:
                    run = result.run
                return await self._runs.follow(self._execution, result, run)
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

    async def _prompt(self, result: AgentResult) -> str:
        """The whole input of a step, which is stored by then."""
        engine, execution, key = self._engine, self._execution, result.key
        if result.input is not None:
            return await whole_input(engine.db, execution.id, result)
        step, rendered = execution.plan.step(key), None
        if step.input_template is not None:
            async with self._turn:
                await self._recall(execution.inputs.missing_for(step))
                facts = execution.inputs.facts(execution.plan.earlier(key))
            rendered = await engine.templates.render(step.input_template, facts)
        async with self._turn:
            if rendered is None:
                await self._recall(execution.inputs.missing_for(step))
            prompt = execution.prepare(key, rendered)
            await engine.save(execution)
        return prompt

    async def _attach(self, result: AgentResult, run: RunRef) -> None:
        self._execution.attach(result.key, run)
        async with self._engine.db.reading() as tx:
            await tx.executions.attach(self._execution.id, result)
