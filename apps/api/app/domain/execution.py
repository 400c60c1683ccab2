"""
One run of a team: which agents have run, and what may happen next.

One class, long as it is, because its states and what leads from one to the next are read as a
whole. State changes only through the methods of `Execution`; each records the events it causes, and
`collect` hands them to the store. No I/O, no clock: the caller says what time it is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Interval

from app.domain.agents import Answer, RunRef
from app.domain.events import Event
from app.domain.execution_errors import ExecutionFinished, NotRetryable
from app.domain.history import Mark, Phase, marked, not_started
from app.domain.inputs import Inputs
from app.domain.journal import Journal
from app.domain.notifications import Notification, NotificationType
from app.domain.progress import ExecutionStatus, Progress
from app.domain.results import AgentResult, AgentStatus, RemoteStop
from app.domain.retry import MAX_ATTEMPTS, Failure
from app.domain.reuse import reusable, taken_over
from app.domain.strict import Strict
from app.domain.teams import OnFailure, Team
from app.domain.texts import LongText, LongTexts, TextField
from app.domain.workflow import Plan

NewId = Callable[[], UUID]
#: W3C Trace Context: `traceparent`, and `tracestate` where there is one.
TraceContext = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionConfig:
    """How a team is run; the defaults are the specification's."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by Pydantic, never written

    timeout_minutes: Annotated[int, Interval(ge=1, le=1440), Strict()] = 30
    parallel_limit: Annotated[int, Interval(ge=1, le=50), Strict()] = 3
    retry_failed: Annotated[bool, Strict()] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an execution went through since it was last stored."""

    results: tuple[AgentResult, ...]
    texts: tuple[LongText, ...]
    events: tuple[Event, ...]
    notifications: tuple[Notification, ...]


@dataclass(slots=True, kw_only=True)
class Execution:
    """A team's plan, what it was asked, and the result of every step so far, in plan order."""

    id: UUID
    user_id: UUID
    team_id: UUID
    team_name: str
    #: Of the team when it began; None for executions from before there were versions.
    team_version: int | None
    plan: Plan
    prompt: str
    context: dict[str, object]
    config: ExecutionConfig
    status: ExecutionStatus
    results: dict[str, AgentResult]
    created_at: datetime
    #: When a slot was free; while pending, when it was accepted.
    started_at: datetime
    #: Counted from the start, so that queueing does not use it up; survives restarts.
    deadline_at: datetime
    estimated_completion: datetime
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    #: Raised by every claim and by cancel: whoever holds an older one can write nothing.
    fence: int = 0
    #: Times it was claimed since it last made progress.
    claims: int = 0
    #: The execution whose finished results this one took over.
    retry_of: UUID | None = None
    #: Of the request that asked for it; None where nobody traces.
    trace_context: TraceContext | None = None
    journal: Journal
    _changed: set[str] = field(default_factory=set)
    _texts: LongTexts = field(default_factory=LongTexts)

    @classmethod
    def create(
        cls,
        team: Team,
        plan: Plan,
        *,
        id: UUID,  # noqa: A002  the field's name
        prompt: str,
        context: dict[str, object],
        config: ExecutionConfig,
        queued: bool,
        typical_s: float | None,
        now: datetime,
        trace_context: TraceContext | None = None,
    ) -> "Execution":
        """A new execution: running at once, or `queued`. `typical_s` is the median duration of
        this team's past runs, if it has any: the estimate."""
        results = [
            AgentResult(key=s.key, agent_id=s.agent_id, agent_name=s.agent_name) for s in plan.steps
        ]
        return cls._open(
            id=id,
            user_id=team.user_id,
            team_id=team.id,
            team_name=team.name,
            team_version=team.version,
            plan=plan,
            prompt=prompt,
            context=context,
            config=config,
            results=results,
            queued=queued,
            typical_s=typical_s,
            now=now,
            trace_context=trace_context,
        )

    def again(
        self,
        *,
        id: UUID,  # noqa: A002  the field's name
        queued: bool,
        typical_s: float | None,
        now: datetime,
        trace_context: TraceContext | None = None,
    ) -> "Execution":
        """
        A new execution of the same plan, prompt and context, that takes over what this one
        finished; the rest runs anew.

        Raises NotRetryable unless this one has failed or was cancelled.
        """
        if self.status not in (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED):
            raise NotRetryable(self.id, self.status)
        reused = reusable(self.plan, self.results, self.inputs.conditions_hold)
        results = [
            taken_over(r)
            if r.key in reused
            else AgentResult(key=r.key, agent_id=r.agent_id, agent_name=r.agent_name)
            for r in self.results.values()
        ]
        return self._open(
            id=id,
            user_id=self.user_id,
            team_id=self.team_id,
            team_name=self.team_name,
            team_version=self.team_version,
            plan=self.plan,
            prompt=self.prompt,
            context=self.context,
            config=self.config,
            results=results,
            queued=queued,
            typical_s=typical_s,
            now=now,
            retry_of=self.id,
            trace_context=trace_context,
        )

    @classmethod
    def _open(
        cls,
        *,
        id: UUID,  # noqa: A002  the field's name
        team_id: UUID,
        config: ExecutionConfig,
        results: list[AgentResult],
        queued: bool,
        typical_s: float | None,
        now: datetime,
        **given: Any,  # noqa: ANN401  fields of an execution
    ) -> "Execution":
        timeout = timedelta(minutes=config.timeout_minutes)
        execution = cls(
            id=id,
            journal=Journal(id, team_id),
            team_id=team_id,
            config=config,
            status=ExecutionStatus.PENDING if queued else ExecutionStatus.RUNNING,
            results={r.key: r for r in results},
            created_at=now,
            started_at=now,
            deadline_at=now + timeout,
            estimated_completion=now
            + (timeout if typical_s is None else timedelta(seconds=typical_s)),
            **given,
        )
        execution._changed.update(execution.results)
        reused = [r for r in results if r.reused]
        for result in reused:
            execution.journal.agent_ended(result, result.completed_at or now)
        count = "1 finished result" if len(reused) == 1 else f"{len(reused)} finished results"
        taken = f" with {count} of an earlier one" if reused else ""
        execution.journal.log(now, "info", f"Execution {'queued' if queued else 'started'}{taken}")
        execution._tell_status()
        return execution

    # --- what the engine does -------------------------------------------------------------

    def promote(self, now: datetime) -> None:
        """A slot is free: leave the queue."""
        self._require(ExecutionStatus.PENDING)
        waited = now - self.started_at
        self.status, self.started_at = ExecutionStatus.RUNNING, now
        self.deadline_at += waited
        self.estimated_completion += waited
        self.journal.log(now, "info", "Execution started")
        self._tell_status()

    def ready(self, now: datetime, new_id: NewId) -> list[AgentResult]:
        """
        Skip what must not run, end the execution when nothing is left.

        Returns what may begin by the state and by the limit of parallel steps, in plan order
        behind what is held: hand it on to `begin`, or what has to wait to `hold`.
        """
        self._require(ExecutionStatus.RUNNING)
        stopped = self._stopped_by()
        ready: list[AgentResult] = []
        for step in self.plan.steps:  # plan order: a skip is seen by what depends on it
            result = self.results[step.key]
            if result.status is not AgentStatus.PENDING:
                if result.is_due(now):
                    ready.append(result)
            elif stopped:
                self._skip(result, now, f"{stopped.agent_name} failed")
            elif not all(self.results[k].status.is_final for k in step.needs):
                continue
            elif not self.inputs.conditions_hold(step):
                self._skip(result, now, "its conditions do not hold")
            else:
                ready.append(result)
        if all(r.status.is_final for r in self.results.values()):
            self._finish(now, new_id)
        # What was held first: it has a place in line, which no other step may take.
        ready.sort(key=lambda r: not r.is_held)
        room = self.config.parallel_limit - sum(r.at_work for r in self.results.values())
        return ready[: max(0, room)]

    def begin(self, ready: Iterable[AgentResult], now: datetime, new_id: NewId) -> None:
        """
        Begin an attempt of each, to be started remotely once this is stored: of a pending step
        the first, of a running one the next, whose `due_at` has come.

        Tells the status once, for whatever happened since the last time.
        """
        for result in ready:
            if result.status is AgentStatus.PENDING:
                step = self.plan.step(result.key)
                if not self.inputs.must_be_prepared(step):
                    self._give(result, self.inputs.compose(step))
            self._begin(result, now, new_id)
        if self.journal.events:
            self._tell_status()

    def hold(self, ready: Iterable[AgentResult], now: datetime) -> None:
        """What could begin waits until Suna has room."""
        for result in ready:
            if result.is_held:
                continue
            told = result.waiting_since is not None  # of the attempt that failed, or of the wait
            since = result.due_at or now
            result.waiting_since, result.due_at = since, None
            # One that waited for Suna goes on with the attempt it had begun.
            attempt = result.attempts + (result.attempt_at is None)
            result.history = marked(result.history, Mark(Phase.HELD, attempt, since))
            self._changed.add(result.key)
            if not told:
                self.journal.log(
                    now, "info", f"{result.agent_name} waits until Suna has room", result
                )

    def prepare(self, key: str, text: str | None = None) -> str:
        """Make the input of a step that `must_be_prepared`: *text* when it has a template. Returns
        the whole input."""
        result = self._running(key)
        whole = self.inputs.compose(self.plan.step(key)) if text is None else text
        self._give(result, whole)
        self._changed.add(key)
        return whole

    def recall(self, texts: Mapping[str, str]) -> None:
        """Take whole outputs, by key, whose rows hold only their beginning; they are forgotten
        once the next change is collected."""
        self._texts.recall(texts)

    def attach(self, key: str, run: RunRef | None) -> None:
        """Remember where the current attempt runs; the store has its own, lighter way."""
        self._running(key).run = run

    def complete(self, key: str, answer: Answer, now: datetime) -> None:
        result = self._running(key)
        result.output, result.output_bytes = self._texts.keep(key, TextField.OUTPUT, answer.text)
        result.needs_input = answer.needs_input
        result.error_code = result.error_message = None
        self._end(result, AgentStatus.COMPLETED, now)
        asks = " by asking for input" if answer.needs_input else ""
        seconds = result.execution_time_ms / 1000
        self.journal.log(
            now, "info", f"{result.agent_name} completed{asks} in {seconds:.1f} s", result
        )

    def fail(
        self,
        key: str,
        failure: Failure,
        now: datetime,
        *,
        retry_in_s: float | None,
        still_runs: bool = False,
    ) -> None:
        """An attempt failed: for good, or with another one due in *retry_in_s* seconds.
        `still_runs` says that its remote run has to be stopped."""
        result = self._running(key)
        if still_runs:
            result.remote_stop = RemoteStop.PENDING
        result.error_code, result.error_message = failure.code, failure.message
        if retry_in_s is None:
            self._end(result, AgentStatus.FAILED, now)
            self.journal.log(now, "error", f"{result.agent_name} failed: {failure.message}", result)
            return
        result.attempt_at, result.waiting_since = None, now
        result.history = marked(
            result.history, Mark(Phase.BACKOFF, result.attempts, now, failure.code)
        )
        self._postpone(result, now, retry_in_s)
        self.journal.log(
            now,
            "warning",
            f"{result.agent_name} failed (attempt {result.attempts} of {MAX_ATTEMPTS}): "
            f"{failure.message} Trying again in {retry_in_s:.1f} s.",
            result,
        )

    def wait(self, key: str, failure: Failure, now: datetime, *, delay_s: float) -> None:
        """Suna surely did not start the agent: go on with this attempt in *delay_s*."""
        result = self._running(key)
        result.error_code, result.error_message = failure.code, failure.message
        result.history = not_started(
            result.history, attempt=result.attempts, at=now, code=failure.code
        )
        if result.waiting_since is None:  # told once, however often it is tried
            result.waiting_since = now
            self.journal.log(now, "info", f"{result.agent_name} waits: {failure.message}", result)
        self._postpone(result, now, delay_s)

    # --- what ends it early ---------------------------------------------------------------

    def cancel(self, now: datetime, new_id: NewId) -> bool:
        """
        Stop at the user's word. Whether it changed anything: cancelling twice is fine.

        Raises ExecutionFinished when it has completed or failed.
        """
        if self.status is ExecutionStatus.CANCELLED:
            return False
        if self.status.is_final:
            raise ExecutionFinished(self.id, self.status)
        self.cancelled_at = now
        self._abandon(now, running=AgentStatus.CANCELLED, pending=AgentStatus.CANCELLED)
        self._close(ExecutionStatus.CANCELLED, now, new_id)
        return True

    def give_up(self, failure: Failure, now: datetime, new_id: NewId) -> None:
        """End as failed although agents run or wait: the time is over, or the engine is at its
        end. *failure* says which."""
        self._require(ExecutionStatus.RUNNING)
        self.error_code, self.error_message = failure.code, failure.message
        self._abandon(now, running=AgentStatus.FAILED, pending=AgentStatus.SKIPPED, failure=failure)
        self._close(ExecutionStatus.FAILED, now, new_id)

    # --- looking ----------------------------------------------------------------------------

    def running(self) -> list[AgentResult]:
        """Results with an attempt under way or due, in plan order."""
        return [r for r in self.results.values() if r.status is AgentStatus.RUNNING]

    @property
    def inputs(self) -> Inputs:
        """What its steps are given, from what it has so far."""
        return Inputs(
            plan=self.plan,
            prompt=self.prompt,
            context=self.context,
            results=self.results,
            texts=self._texts,
        )

    def needs_remote_stop(self) -> bool:
        """Whether a change that is not stored yet left a remote run to be stopped."""
        return any(self.results[k].remote_stop is RemoteStop.PENDING for k in self._changed)

    @property
    def progress(self) -> Progress:
        return Progress.of(self.status, self.results.values())

    @property
    def seq(self) -> int:
        """The number of the last event of this execution."""
        return self.journal.seq

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to store."""
        return bool(self._changed or self.journal.events)

    def collect(self) -> Changes:
        """Take what changed since the last call."""
        events, notifications = self.journal.take()
        changed = tuple(r for r in self.results.values() if r.key in self._changed)
        self._changed.clear()
        return Changes(
            results=changed, texts=self._texts.take(), events=events, notifications=notifications
        )

    # --- parts ------------------------------------------------------------------------------

    def _require(self, status: ExecutionStatus) -> None:
        if self.status is not status:
            raise ValueError(f"execution {self.id} is {self.status}, not {status}")

    def _running(self, key: str) -> AgentResult:
        self._require(ExecutionStatus.RUNNING)
        result = self.results[key]
        if result.status is not AgentStatus.RUNNING:
            raise ValueError(f"{key} is {result.status}, not running")
        return result

    def _stopped_by(self) -> AgentResult | None:
        for step in self.plan.steps:
            result = self.results[step.key]
            if result.status is AgentStatus.FAILED and step.on_failure is OnFailure.STOP:
                return result
        return None

    def _begin(self, result: AgentResult, now: datetime, new_id: NewId) -> None:
        # Waits for Suna take none of the agent's own time.
        waits_since = result.attempt_at or (result.waiting_since if result.is_held else None)
        if result.started_at is not None and waits_since is not None:
            result.started_at += now - waits_since
        goes_on = result.attempt_at is not None
        result.status = AgentStatus.RUNNING
        result.run_key, result.run = new_id(), None
        result.attempt_at, result.due_at = now, None
        result.started_at = result.started_at or now
        self._changed.add(result.key)
        result.attempts += not goes_on
        result.history = marked(result.history, Mark(Phase.RUNNING, result.attempts, now))
        if goes_on:
            return
        result.waiting_since = None
        self.journal.agent_started(result, result.started_at)
        again = f" again (attempt {result.attempts})" if result.attempts > 1 else ""
        self.journal.log(now, "info", f"{result.agent_name} started{again}", result)

    def _postpone(self, result: AgentResult, now: datetime, delay_s: float) -> None:
        if result.run is not None:
            result.past_runs = (*result.past_runs, result.run.run_id)
        result.run_key = result.run = None
        result.due_at = now + timedelta(seconds=delay_s)
        self._changed.add(result.key)

    def _skip(self, result: AgentResult, now: datetime, why: str) -> None:
        self._end(result, AgentStatus.SKIPPED, now)
        self.journal.log(now, "info", f"{result.agent_name} skipped: {why}", result)

    def _end(self, result: AgentResult, status: AgentStatus, now: datetime) -> None:
        result.end(status, now)
        self._changed.add(result.key)
        self.journal.agent_ended(result, now)

    def _abandon(
        self,
        now: datetime,
        *,
        running: AgentStatus,
        pending: AgentStatus,
        failure: Failure | None = None,
    ) -> None:
        """End every step that has not ended; remote runs of theirs have to be stopped."""
        for result in self.results.values():
            if result.status is AgentStatus.RUNNING:
                # Without an input nothing was sent yet.
                if result.at_work and result.input is not None:
                    result.remote_stop = RemoteStop.PENDING
                if failure is not None:
                    result.error_code, result.error_message = failure.code, failure.message
                self._end(result, running, now)
            elif result.status is AgentStatus.PENDING:
                self._end(result, pending, now)

    def _finish(self, now: datetime, new_id: NewId) -> None:
        failed = [
            self.results[s.key]
            for s in self.plan.steps
            if self.results[s.key].status is AgentStatus.FAILED
            and s.on_failure is not OnFailure.IGNORE
        ]
        if failed:
            first = min(failed, key=lambda r: r.completed_at or now)
            self.error_code = first.error_code
            self.error_message = f"{first.agent_name}: {first.error_message}"
        self._end_as(ExecutionStatus.FAILED if failed else ExecutionStatus.COMPLETED, now, new_id)

    def _close(self, status: ExecutionStatus, now: datetime, new_id: NewId) -> None:
        self._end_as(status, now, new_id)
        self._tell_status()

    def _end_as(self, status: ExecutionStatus, now: datetime, new_id: NewId) -> None:
        self.status, self.completed_at = status, now
        why = f": {self.error_message}" if status is ExecutionStatus.FAILED else ""
        level = "error" if status is ExecutionStatus.FAILED else "info"
        self.journal.log(now, level, f"Execution {status}{why}")
        self._notify(now, new_id)

    def _notify(self, now: datetime, new_id: NewId) -> None:
        ending = {
            ExecutionStatus.COMPLETED: "has completed successfully",
            ExecutionStatus.FAILED: f"has failed: {self.error_message}",
            ExecutionStatus.CANCELLED: "was cancelled",
        }[self.status]
        self.journal.notify(
            Notification(
                id=new_id(),
                user_id=self.user_id,
                type=NotificationType(f"execution_{self.status}"),
                title=f"Team execution {self.status}",
                message=f"Your {self.team_name} execution {ending}",
                read=False,
                created_at=now,
                data={"execution_id": self.id, "team_id": self.team_id},
            )
        )

    def _tell_status(self) -> None:
        self.journal.status(
            self.status,
            self.progress,
            started_at=self.started_at,
            completed_at=self.completed_at,
            error_code=self.error_code,
            error_message=self.error_message,
        )

    def _give(self, result: AgentResult, text: str) -> None:
        result.input, result.input_bytes = self._texts.keep(result.key, TextField.INPUT, text)
