"""
One run of a team: which agents have run, and what may happen next.

State changes only through the methods of `Execution`; each records the events it causes, and
`collect` hands them to the store. No I/O, no clock: the caller says what time it is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Interval

from app.domain import inputs
from app.domain.agents import Answer, RunRef
from app.domain.errors import Conflict, LimitReached, NotFound, RenumError
from app.domain.events import Event, Progress
from app.domain.journal import Journal
from app.domain.notifications import Notification, NotificationType
from app.domain.results import AgentResult, AgentStatus, RemoteStop
from app.domain.retry import MAX_ATTEMPTS, Failure
from app.domain.reuse import reusable, taken_over
from app.domain.teams import OnFailure, Team
from app.domain.texts import LongText, LongTexts, TextField
from app.domain.workflow import Plan, Step

NewId = Callable[[], UUID]


class ExecutionStatus(StrEnum):
    #: Waits for a free slot of its user.
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in (ExecutionStatus.PENDING, ExecutionStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionConfig:
    """How a team is run; the defaults are the specification's."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by Pydantic, never written

    timeout_minutes: Annotated[int, Interval(ge=1, le=1440)] = 30
    parallel_limit: Annotated[int, Interval(ge=1, le=50)] = 3
    retry_failed: bool = True


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
            plan=plan,
            prompt=prompt,
            context=context,
            config=config,
            results=results,
            queued=queued,
            typical_s=typical_s,
            now=now,
        )

    def again(
        self,
        *,
        id: UUID,  # noqa: A002  the field's name
        queued: bool,
        typical_s: float | None,
        now: datetime,
    ) -> "Execution":
        """
        A new execution of the same plan, prompt and context, that takes over what this one
        finished; the rest runs anew.

        Raises NotRetryable unless this one has failed or was cancelled.
        """
        if self.status not in (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED):
            raise NotRetryable(self.id, self.status)
        reused = reusable(self.plan, self.results, self._holds)
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
            plan=self.plan,
            prompt=self.prompt,
            context=self.context,
            config=self.config,
            results=results,
            queued=queued,
            typical_s=typical_s,
            now=now,
            retry_of=self.id,
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
        taken = f" with {len(reused)} finished results of an earlier one" if reused else ""
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

    def advance(self, now: datetime, new_id: NewId) -> list[AgentResult]:
        """
        Do everything that the state now allows: skip what must not run, begin an attempt of
        every step that is ready and has room, end the execution when nothing is left.

        Returns the results whose attempt has to be started remotely, once this is stored. Tells
        the status once, for whatever happened since the last time.
        """
        self._require(ExecutionStatus.RUNNING)
        stopped = self._stopped_by()
        room = self.config.parallel_limit - len(self.running())
        begun = []
        for step in self.plan.steps:  # plan order: a skip is seen by what depends on it
            result = self.results[step.key]
            if result.status is not AgentStatus.PENDING:
                continue
            if stopped:
                self._skip(result, now, f"{stopped.agent_name} failed")
            elif not all(self.results[k].status.is_final for k in step.needs):
                continue
            elif not self._holds(step):
                self._skip(result, now, "its conditions do not hold")
            elif room > 0:
                if not self.must_prepare(step.key):
                    self._give(result, self._compose(step))
                self._begin(result, now, new_id)
                begun.append(result)
                room -= 1
        if all(r.status.is_final for r in self.results.values()):
            self._finish(now, new_id)
        if self.journal.events:
            self._tell_status()
        return begun

    def begin_again(self, key: str, now: datetime, new_id: NewId) -> AgentResult:
        """The next attempt of a step whose `due_at` has come."""
        result = self._running(key)
        self._begin(result, now, new_id)
        return result

    def prepare(self, key: str, text: str | None = None) -> str:
        """Make the input of a step that `must_prepare`: *text* when it has a template. Returns
        the whole input."""
        result = self._running(key)
        whole = self._compose(self.plan.step(key)) if text is None else text
        self._give(result, whole)
        self._changed.add(key)
        return whole

    def recall(self, texts: Mapping[str, str]) -> None:
        """Take whole outputs, by key, whose rows hold only their beginning; they are forgotten
        once the next change is collected."""
        self._texts.recall(texts)

    def attach(self, key: str, run: RunRef) -> None:
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
        self._postpone(result, now, retry_in_s)
        self.journal.log(
            now,
            "warning",
            f"{result.agent_name} failed (attempt {result.attempts} of {MAX_ATTEMPTS}): "
            f"{failure.message} Trying again in {retry_in_s:.1f} s.",
            result,
        )

    def wait(self, key: str, failure: Failure, now: datetime, *, delay_s: float) -> None:
        """The attempt could not even begin: try again in *delay_s*, without using it up."""
        result = self._running(key)
        result.attempts -= 1
        result.error_code, result.error_message = failure.code, failure.message
        self._postpone(result, now, delay_s)
        self.journal.log(now, "info", f"{result.agent_name} waits: {failure.message}", result)

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

    def must_prepare(self, key: str) -> bool:
        """Whether the input of a step cannot be made in passing: it has a template, or takes an
        output that has to be read first."""
        return bool(self.plan.step(key).input_template or self.outputs_for_input(key))

    def outputs_for_input(self, key: str) -> tuple[str, ...]:
        """Keys of the outputs to `recall` before the input of a step can be made."""
        step = self.plan.step(key)
        if step.input_template:
            return self._not_at_hand(self.plan.earlier(key))
        return self._not_at_hand(inputs.sources(self.plan, step, self.results))

    def outputs_for_conditions(self) -> tuple[str, ...]:
        """Keys of the outputs to `recall` before `advance`, and before a retry of this, which
        asks again why a step was skipped."""
        undecided = (AgentStatus.PENDING, AgentStatus.SKIPPED)
        return self._not_at_hand(
            k for s in self.plan.steps if self.results[s.key].status in undecided for k in s.asked
        )

    def facts(self, keys: Iterable[str]) -> dict[str, Any]:
        """What conditions and templates look at; results of *keys* only."""
        asked = {k: self.results[k] for k in keys}
        return inputs.facts(self.prompt, self.context, asked, self._output)

    def needs_remote_stop(self) -> bool:
        """Whether a change that is not stored yet left a remote run to be stopped."""
        return any(self.results[k].remote_stop is RemoteStop.PENDING for k in self._changed)

    @property
    def progress(self) -> Progress:
        statuses = [r.status for r in self.results.values()]
        ended = sum(s.is_final for s in statuses)
        return Progress(
            completed_agents=statuses.count(AgentStatus.COMPLETED),
            total_agents=len(statuses),
            failed_agents=statuses.count(AgentStatus.FAILED),
            skipped_agents=statuses.count(AgentStatus.SKIPPED),
            percentage=ended * 100 // len(statuses),
            current_step=self._current_step(),
        )

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
        result.status = AgentStatus.RUNNING
        result.attempts += 1
        result.run_key, result.run = new_id(), None
        result.attempt_at, result.due_at = now, None
        result.started_at = result.started_at or now
        self._changed.add(result.key)
        self.journal.agent_started(result, result.started_at)
        again = f" again (attempt {result.attempts})" if result.attempts > 1 else ""
        self.journal.log(now, "info", f"{result.agent_name} started{again}", result)

    def _postpone(self, result: AgentResult, now: datetime, delay_s: float) -> None:
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
                if result.run_key is not None:
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

    def _current_step(self) -> str:
        if self.status is ExecutionStatus.PENDING:
            return "Waiting in queue"
        if self.status.is_final:
            return self.status.capitalize()
        names = [r.agent_name for r in self.running()]
        if not names:
            return "Initializing agents"
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"{', '.join(names[:3])}{more} processing"

    def _holds(self, step: Step) -> bool:
        facts = self.facts(step.asked)
        return all(condition.holds(facts) for condition in step.conditions)

    def _compose(self, step: Step) -> str:
        return inputs.compose(
            self.plan,
            step,
            prompt=self.prompt,
            context=self.context,
            results=self.results,
            read=self._output,
        )

    def _not_at_hand(self, keys: Iterable[str]) -> tuple[str, ...]:
        return tuple(
            k
            for k in dict.fromkeys(keys)
            if self.results[k].output_truncated and self._texts.output(k) is None
        )

    def _output(self, key: str) -> str | None:
        result = self.results[key]
        if not result.output_truncated:
            return result.output
        whole = self._texts.output(key)
        if whole is None:
            raise ValueError(f"the output of {key} is not at hand: recall it first")
        return whole

    def _give(self, result: AgentResult, text: str) -> None:
        result.input, result.input_bytes = self._texts.keep(result.key, TextField.INPUT, text)


class ExecutionNotFound(NotFound):
    """No such execution of this user."""

    code = "execution_not_found"
    title = "Execution not found"

    def __init__(self, execution_id: UUID) -> None:
        super().__init__(f"There is no execution {execution_id}.")


class ExecutionFinished(Conflict):
    """It has completed or failed; that is final."""

    code = "execution_finished"
    title = "Execution has finished"

    def __init__(self, execution_id: UUID, status: str) -> None:
        super().__init__(f"Execution {execution_id} is already {status}.")


class TextNotFound(NotFound):
    """The agent has no such text yet, or there is no such agent in the execution."""

    code = "text_not_found"
    title = "Text not found"

    def __init__(self, key: str, field: str) -> None:
        super().__init__(f"The execution has no {field} of an agent {key!r}.")


class NotRetryable(Conflict):
    """Only what has failed or was cancelled is run again."""

    code = "execution_not_retryable"
    title = "Execution cannot be retried"

    def __init__(self, execution_id: UUID, status: str) -> None:
        super().__init__(
            f"Execution {execution_id} is {status}; only a failed or cancelled one is retried."
        )


class TooManyExecutions(LimitReached):
    """The user's queue is full."""

    code = "too_many_executions"
    title = "Too many executions"
    retry_after_s = 30

    def __init__(self, queued: int) -> None:
        super().__init__(f"{queued} executions wait already; try again when some have run.")


class Fenced(RenumError):
    """Somebody else drives this execution now, or it was cancelled: write nothing, stop."""

    code = "fenced"
    title = "Superseded"
