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
    StartFailed,
    StartUnknown,
    SunaBusy,
    SunaRefused,
    SunaUnavailable,
)
from app.domain.execution import Execution
from app.domain.execution_errors import Fenced
from app.domain.results import AgentResult, Attachment
from app.domain.retry import Failure, retry_delay_s
from app.domain.templates import TemplateFailed
from app.domain.texts import TextField
from app.usecases.agent_runs import AgentRuns, Pace
from app.usecases.capacity import SunaCapacity
from app.usecases.executions import store, whole_input
from app.usecases.limits import Limits
from app.usecases.outcomes import Outcome, StillRuns, Wait, failure_of
from app.usecases.ports import AgentRuntime, Clock, Database, LiveOutput, NewId, Templates
from app.usecases.spans import NoSpans, Spans

logger = logging.getLogger(__name__)

#: Claims without progress after which an execution is given up instead of looping for ever.
MAX_CLAIMS = 10
#: Nobody takes a worker's executions over before its heart has missed beats for longer than this.
_SURELY_OURS_S = 2.0

_TIMEOUT = Failure(
    code="execution_timeout", message="The execution's time is over.", retryable=False
)
_GAVE_UP = Failure(
    code="engine_gave_up",
    message="The engine tried again and again without getting any further.",
    retryable=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Everything that driving an execution needs."""

    db: Database
    #: Runs agents for the user of an execution.
    runtime_of: Callable[[UUID], AgentRuntime]
    templates: Templates
    output: LiveOutput
    limits: Limits
    clock: Clock
    new_id: NewId
    rng: Random
    #: None where Suna itself does the counting.
    capacity: SunaCapacity | None = None
    pace: Pace = field(default_factory=Pace)
    spans: Spans = field(default_factory=NoSpans)

    async def drive(self, execution_id: UUID) -> None:
        """
        Run an execution to its end, from wherever it stands.

        Returns also when somebody else has taken it over. Raises what is not foreseen: the
        queue then calls again, and the rows say where to go on.
        """
        execution = await self._claim(execution_id)
        if execution is None:
            return
        context = execution.trace_context
        with self.spans.job("drive execution", execution_id, execution.user_id, context):
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
        async with self.db.autocommit() as tx:
            return await tx.executions.claim(execution_id)

    async def _give_up(self, execution: Execution, failure: Failure) -> None:
        execution.give_up(failure, self.clock(), self.new_id)
        await self.save(execution)

    async def save(self, execution: Execution) -> None:
        """One transaction; of one statement, unless more follows from it."""
        alone = not (execution.status.is_final or execution.needs_remote_stop())
        async with self.db.group_commit() if alone else self.db.transaction() as tx:
            await store(tx, execution, self.limits, now=self.clock())


class _Drive:
    """One claim of one execution; gone with the process, or with the claim."""

    def __init__(self, engine: Engine, execution: Execution) -> None:
        self._engine = engine
        self._execution = execution
        self._runs = AgentRuns(engine.runtime_of(execution.user_id), engine.clock, engine.pace)
        # Steps change the execution in turn: what is changed is stored before the next turn.
        self._turn = asyncio.Lock()
        #: Changes that wait for it, and when each was due; the next turn makes all of them.
        self._changes: list[tuple[Callable[[datetime], None], datetime | None]] = []
        #: Waits for room at Suna, for all steps that need some.
        self._in_line: asyncio.Task[None] | None = None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for result in self._execution.running():
                if result.run_key is None:
                    group.create_task(self._when_due(group, result))
                else:
                    group.create_task(self._run_attempt(group, result, taken_over=True))
            await self._change(group, lambda _now: None)

    async def _run_attempt(
        self, group: asyncio.TaskGroup, result: AgentResult, *, taken_over: bool = False
    ) -> None:
        with self._engine.spans.attempt(result):
            outcome = await self._attempt(result, taken_over=taken_over)
        await self._change(group, partial(self._record, result, outcome))
        if self._engine.capacity is not None:
            self._engine.capacity.freed()
        if not result.status.is_final:
            await self._when_due(group, result)

    async def _when_due(self, group: asyncio.TaskGroup, result: AgentResult) -> None:
        """Let a step go on at its time; when there is no room for it then, it is begun by the
        change that makes some."""
        due_at = result.due_at
        if due_at is not None:
            await asyncio.sleep(max(0.0, (due_at - self._engine.clock()).total_seconds()))
        await self._change(group, lambda _now: None, due_at=due_at)

    async def _change(
        self,
        group: asyncio.TaskGroup,
        change: Callable[[datetime], None],
        *,
        due_at: datetime | None = None,
    ) -> None:
        """Apply a change, do what it allows, store both at once, start what may start. *due_at*
        has come, whatever the clock says: timers are sometimes early by a hair."""
        engine, execution = self._engine, self._execution
        self._changes.append((change, due_at))
        async with self._turn:
            changes, self._changes = self._changes, []
            if not changes or execution.status.is_final:
                return  # made by another one's turn, or one has ended it meanwhile
            now = max([engine.clock(), *(due for _, due in changes if due is not None)])
            for make, _ in changes:
                make(now)
            await self._recall(execution.inputs.missing_for_conditions())
            ready = execution.ready(now, engine.new_id)
            if ready and engine.capacity is not None:
                begun = await engine.capacity.begin(execution, ready, now)
            else:
                begun = ready
                execution.begin(ready, now, engine.new_id)
                if execution.has_changed:
                    await engine.save(execution)
        for result in begun:
            group.create_task(self._run_attempt(group, result))
        if engine.capacity is not None:
            if execution.status.is_final and self._in_line:
                self._in_line.cancel()
            elif len(begun) < len(ready) and not self._in_line:
                waiting = self._when_there_is_room(group, engine.capacity)
                self._in_line = group.create_task(waiting)

    async def _when_there_is_room(self, group: asyncio.TaskGroup, capacity: SunaCapacity) -> None:
        """Try again what Suna has no room for, when it may have some."""
        await capacity.turn_of(self._execution.id)
        self._in_line = None
        await self._change(group, lambda _now: None)

    async def _recall(self, keys: Sequence[str]) -> None:
        """Have outputs at hand that are too long for their rows."""
        if keys:
            async with self._engine.db.autocommit() as tx:
                texts = await tx.executions.texts(self._execution.id, TextField.OUTPUT, keys)
            self._execution.recall(texts)

    def _record(self, result: AgentResult, outcome: Outcome, now: datetime) -> None:
        execution, pace = self._execution, self._engine.pace
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
                if delay is not None:
                    delay *= pace.backoff
                    left = self._left_s(result)
                    # An attempt that could only begin when the agent's time is over is none.
                    delay = None if left is not None and delay >= left else delay
                execution.fail(result.key, outcome, now, retry_in_s=delay)
            case StillRuns():
                execution.fail(result.key, outcome.failure, now, retry_in_s=None, still_runs=True)
            case Wait():
                delay = outcome.delay_s(now - (result.waiting_since or now))
                execution.wait(result.key, outcome.failure, now, delay_s=delay)

    async def _attempt(self, result: AgentResult, *, taken_over: bool) -> Outcome:
        perhaps_started = taken_over and result.input is not None
        try:
            # Nothing is started before its input is stored; outside of the agent's time, which
            # must not end in the middle of that.
            prompt = "" if result.run else await self._prompt(result)
            left = self._left_s(result)
            if left == 0.0 and not result.run and not perhaps_started:
                return self._too_late(result)
            async with asyncio.timeout(left):
                if not result.run:
                    await self._check_fence(result)
                    await self._runs.start(
                        result,
                        prompt,
                        perhaps_started=perhaps_started,
                        attach=partial(self._attach, result),
                    )
                assert result.run is not None  # noqa: S101  attached by now
                return await self._runs.follow(result.run, partial(self._tell, result))
        except TimeoutError:
            return StillRuns(self._too_late(result))
        except SunaBusy as error:
            return Wait(failure_of(error), *self._engine.pace.busy, asked_s=error.wait_s)
        except SunaUnavailable as error:  # of the start: a run that works is waited for
            return Wait(failure_of(error), *self._engine.pace.away, asked_s=error.wait_s)
        except StartFailed as error:
            return failure_of(error, retryable=True, retry_after_s=error.wait_s)
        except RunLost as error:
            return failure_of(error, retryable=True)
        except (StartUnknown, SunaRefused) as error:
            refused_at_start = isinstance(error, SunaRefused) and result.run is None
            return failure_of(error) if refused_at_start else StillRuns(failure_of(error))
        except (AgentNotFound, TemplateFailed) as error:
            return failure_of(error)

    def _too_late(self, result: AgentResult) -> Failure:
        minutes = self._execution.plan.step(result.key).timeout_minutes
        return Failure(
            code="agent_timeout",
            message=f"The agent did not end within {minutes} min.",
            retryable=False,
        )

    def _left_s(self, result: AgentResult) -> float | None:
        """Seconds that the agent's own limit leaves it; None without one."""
        minutes = self._execution.plan.step(result.key).timeout_minutes
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
            rendered = await engine.templates.render(
                step.input_template, facts, user_id=execution.user_id
            )
        async with self._turn:
            if rendered is None:
                await self._recall(execution.inputs.missing_for(step))
            prompt = execution.prepare(key, rendered)
            await engine.save(execution)
        return prompt

    async def _check_fence(self, result: AgentResult) -> None:
        """
        Raises Fenced when this worker has stood still for so long that another one may be at work.

        Until then nobody can have taken over, and the start costs no round trip more.
        """
        began = result.attempt_at or self._engine.clock()
        if (self._engine.clock() - began).total_seconds() > _SURELY_OURS_S:
            async with self._engine.db.autocommit() as tx:
                await tx.executions.require_fence(self._execution)

    async def _attach(self, result: AgentResult, run: RunRef) -> Attachment:
        # First in memory, so that it is not forgotten when the agent's time ends right now.
        self._execution.attach(result.key, run)
        async with self._engine.db.group_commit() as tx:
            attachment = await tx.executions.attach(self._execution.id, result, run)
        if attachment is not Attachment.OURS:
            self._execution.attach(result.key, None)
        return attachment

    def _tell(self, result: AgentResult, offset: int, text: str) -> None:
        self._engine.output.publish(
            self._execution.user_id,
            execution_id=self._execution.id,
            result=result,
            offset=offset,
            text=text,
        )
