"""
Everything the use cases need from outside, in their own words.

In one file, long as it is, because what may be asked of the outside is read as a whole. A port
exists where a second adapter or a fake exists. Times are aware UTC datetimes, durations
are seconds. Adapters raise the domain's errors only; a foreign error never comes through.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.common.breaker import BreakerState
from app.common.paging import Page, Paged
from app.domain.agents import Agent, AgentListing, Answer, RunRef, RunState
from app.domain.api_keys import ApiKey
from app.domain.deliveries import Delivery, DeliveryStatus
from app.domain.events import Event, ExecutionLog
from app.domain.execution import Execution, TraceContext
from app.domain.idempotency import Once, StoredAnswer
from app.domain.notifications import Notification
from app.domain.progress import ExecutionStatus
from app.domain.rates import Allowance
from app.domain.reports import (
    EventSpan,
    ExecutionFilters,
    ExecutionReport,
    ExecutionSummary,
    History,
    JobState,
    Load,
    Stuck,
)
from app.domain.results import AgentResult, Attachment, RemoteStop
from app.domain.teams import Team, TeamSummary, TeamVersion
from app.domain.templates import TemplateUse
from app.domain.texts import TextField
from app.domain.timeline import Recorded
from app.domain.users import Identity, Session
from app.domain.watching import EVERYTHING, Interest, Message, StoredEvent
from app.domain.webhooks import Webhook
from app.usecases.limits import SunaLimit


class Clock(Protocol):
    def __call__(self) -> datetime:
        """Now, in UTC."""


class NewId(Protocol):
    def __call__(self) -> UUID:
        """A fresh UUIDv7: ids of later things sort later."""


class IdentityProvider(Protocol):
    """Supabase Auth, seen from here. `client_ip` is the end user's, for its rate limits."""

    async def login(
        self, email: str, password: str, *, captcha_token: str | None, client_ip: str | None
    ) -> Session:
        """Raises InvalidCredentials, EmailNotConfirmed, UserBanned, CaptchaFailed,
        AuthRateLimited, LoginUnavailable, AuthUnavailable."""

    async def refresh(self, refresh_token: str, *, client_ip: str | None) -> Session:
        """A new session with a rotated refresh token; calls with the same token share one
        request. Raises InvalidRefreshToken, UserBanned, AuthRateLimited, AuthUnavailable."""

    async def logout(self, access_token: str) -> None:
        """End this session only; one that is already over is fine. Raises AuthUnavailable."""

    @property
    def breaker(self) -> BreakerState:
        """Whether it is asked at all right now."""

    async def health(self) -> None:
        """Return when the service answers; raises AuthUnavailable."""


class TokenVerifier(Protocol):
    async def verify(self, token: str) -> Identity:
        """Who the bearer of an access token or of an API key is. Raises InvalidToken,
        AuthUnavailable (no key known), DatabaseUnavailable."""


class RateLimits(Protocol):
    """How often one may ask."""

    async def user(self, user_id: UUID) -> Allowance | None:
        """Count a request of a user; what is left, or None where that is not limited or cannot be
        counted. Raises RateLimited."""

    async def login(self, email: str, client_ip: str | None) -> None:
        """Count an attempt to sign in. Raises RateLimited, LoginLimitUnavailable."""

    @property
    def breaker(self) -> BreakerState:
        """Whether whoever counts is asked at all right now."""


class AgentDirectory(Protocol):
    """The agents that one user's teams can be made of; cached, and stale rather than gone."""

    async def list(self) -> AgentListing:
        """All agents, by name. Raises SunaUnavailable, SunaRefused."""

    async def get(self, agent_id: UUID) -> Agent:
        """Raises AgentNotFound, SunaUnavailable, SunaRefused."""


class AgentRuntime(Protocol):
    """
    Runs agents on Suna for one user. One call is one attempt: the engine retries, nobody else.

    A run's status is what `status` says; the text that `follow` brings early is for the eye.
    """

    async def start(self, agent_id: UUID, prompt: str, *, key: UUID) -> RunRef:
        """
        Start a run and return where to find it.

        `key` is made and stored by the caller before the call, so that `find` can look for the
        run afterwards. Raises SunaUnavailable (surely not started), SunaBusy (surely not
        started, wait), StartUnknown (perhaps started: `find` it), SunaRefused, AgentNotFound.
        """

    async def may_repeat_start(self) -> bool:
        """Whether a `start` with the same key is the same run, however often it is sent. Raises
        SunaUnavailable, SunaRefused."""

    async def find(
        self, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> list[RunRef]:
        """
        Runs that `start` with the same arguments may have made at or after `since`; more than one
        where the same was asked several times.

        None means: surely not started. Raises StartUnknown where that cannot be told,
        SunaUnavailable, SunaRefused.
        """

    async def follow(self, run: RunRef, on_text: Callable[[str], Awaitable[None]]) -> RunState:
        """
        Wait for the end of a run, handing on text as it comes; returns the final state.

        Survives silent and broken streams by polling. Has no deadline of its own: cancel it.
        Raises RunLost, SunaUnavailable (after its own patience with a failing Suna),
        SunaRefused.
        """

    async def status(self, run: RunRef) -> RunState:
        """Raises RunLost, SunaUnavailable, SunaRefused."""

    async def answer(self, run: RunRef) -> Answer:
        """What the agent answered in a completed run; the text may be empty.

        Raises RunLost, SunaUnavailable, SunaRefused."""

    async def stop(self, run: RunRef) -> None:
        """Stop a run that still runs; one that has ended is left alone.

        Returns when Suna confirms that it no longer runs. Raises SunaUnavailable, SunaRefused."""


class Suna(Protocol):
    """The platform that the agents live on; whom it is asked for decides which account it is."""

    def runtime(self, user_id: UUID) -> AgentRuntime:
        """For what goes on in the background, when its user is not there."""

    def agents(self, identity: Identity) -> AgentDirectory:
        """For a request of a user."""

    @property
    def breaker(self) -> BreakerState:
        """Whether it is asked at all right now."""

    async def health(self) -> None:
        """Return when Suna answers; raises SunaUnavailable."""


class Templates(Protocol):
    """Input templates: written by users, so never trusted."""

    def examine(self, text: str) -> TemplateUse:
        """What a template names, and what is wrong with it; renders nothing."""

    async def render(self, text: str, facts: Mapping[str, object], *, user_id: UUID) -> str:
        """
        The text of a template for facts of the shape
        `{"initial_prompt": str, "context": {...}, "results": {key: {"status", "output"}}}`.

        One at a time for each user, so that nobody's slow ones keep others waiting.

        Bounded in time, memory and length, off the event loop. Raises TemplateFailed, with a
        message for the team's owner.
        """


class Teams(Protocol):
    """A user's teams; what is another user's does not exist here."""

    async def add(self, team: Team) -> None: ...

    async def get(self, team_id: UUID, *, user_id: UUID) -> Team:
        """Raises TeamNotFound."""

    async def save(self, team: Team) -> None:
        """Write all of it; its agents replace the stored ones."""

    async def delete(self, team_id: UUID, *, user_id: UUID) -> None: ...

    async def page(
        self, page: Page, *, user_id: UUID, search: str | None
    ) -> Paged[TeamSummary]: ...

    async def versions(self, page: Page, team_id: UUID, *, user_id: UUID) -> Paged[TeamVersion]:
        """Newest first. Raises TeamNotFound."""


@dataclass(frozen=True, slots=True)
class RemoteStops:
    """Results of an execution whose remote run is still to be stopped, and whose they are."""

    user_id: UUID
    trace_context: TraceContext | None
    results: tuple[AgentResult, ...]


class Executions(Protocol):
    """Executions. The engine's calls name no user; everybody else's do."""

    async def add(self, execution: Execution) -> None: ...

    async def claim(self, execution_id: UUID) -> Execution | None:
        """
        Take over a running execution: whoever held it before can write nothing from here on.
        None when it does not run.
        """

    async def load(self, execution_id: UUID, *, user_id: UUID) -> Execution:
        """For a change: locked until the transaction ends. Raises ExecutionNotFound."""

    async def save(self, execution: Execution, *, supersede: bool = False) -> None:
        """
        Store what changed since the last time, its events and notifications with it.

        Whoever saves must hold the current fence: otherwise the transaction fails with Fenced.
        `supersede` also raises it, which ends whoever drives the execution.
        """

    async def require_fence(self, execution: Execution) -> None:
        """Raises Fenced when somebody else has taken it over."""

    async def attach(self, execution_id: UUID, result: AgentResult, run: RunRef) -> Attachment:
        """
        Store where the current attempt of a result runs, if the two may belong together.

        Needs no fence: it adds a fact to the attempt with this `run_key`, and whoever holds the
        execution by now wants to know it.
        """

    async def unfinished(self, user_id: UUID) -> tuple[int, int]:
        """How many of the user's executions run, and how many wait."""

    async def unfinished_of_team(self, team_id: UUID) -> int: ...

    async def next_pending(self, user_id: UUID) -> Execution | None:
        """The one that has waited longest, locked until the transaction ends."""

    async def stops(self, execution_id: UUID) -> RemoteStops | None:
        """None without any."""

    async def set_remote_stop(self, execution_id: UUID, key: str, state: RemoteStop) -> None: ...

    async def texts(
        self, execution_id: UUID, field: TextField, keys: Sequence[str]
    ) -> dict[str, str]:
        """Whole texts of results that hold only their beginning, by key."""


class Capacity(Protocol):
    """Who may have an agent at work at Suna, by the rows."""

    async def admit(
        self, limit: SunaLimit, execution_id: UUID, keys: Sequence[str], *, user_id: UUID
    ) -> set[str]:
        """
        Those of *keys* whose turn it is, so many as there is room for; begin them in this
        transaction, which nobody else of the same account overtakes.

        Users take turns: who has fewer agents at Suna comes first, then who had no turn for
        longest. Call it with the user's lock.
        """

    async def next_in_line(self, limit: SunaLimit) -> set[UUID]:
        """Executions with a waiting step for which there is room."""


class Reports(Protocol):
    """Executions as their user reads them."""

    async def report(self, execution_id: UUID, *, user_id: UUID) -> ExecutionReport:
        """Raises ExecutionNotFound."""

    async def logs(
        self, execution_id: UUID, *, user_id: UUID, after: int, limit: int
    ) -> list[ExecutionLog]:
        """Lines with a `seq` above *after*, oldest first. Raises ExecutionNotFound."""

    async def page(
        self, page: Page, *, user_id: UUID, filters: ExecutionFilters
    ) -> Paged[ExecutionSummary]: ...

    async def recorded(self, execution_id: UUID, *, user_id: UUID) -> Recorded:
        """Without inputs and outputs. Raises ExecutionNotFound."""

    async def unfinished(self) -> Mapping[ExecutionStatus, int]:
        """Executions of everybody that wait, and that run."""

    async def event_span(self, execution_id: UUID, *, user_id: UUID) -> EventSpan:
        """Raises ExecutionNotFound."""

    async def load(self, team_id: UUID, *, user_id: UUID) -> Load:
        """What decides whether another execution may begin, in one look."""

    async def history(self, team_id: UUID) -> History:
        """How long the team's last 20 completed runs took."""

    async def text_piece(
        self, execution_id: UUID, key: str, field: TextField, *, user_id: UUID, offset: int
    ) -> bytes:
        """UTF-8 of a result's whole text from a byte on, some MiB at most; empty past its end.
        Raises ExecutionNotFound, TextNotFound."""


class Notifications(Protocol):
    async def add(self, notification: Notification) -> None: ...

    async def page(
        self, page: Page, *, user_id: UUID, unread_only: bool
    ) -> tuple[Paged[Notification], int]:
        """A page, and how many are unread in all."""

    async def mark_read(self, notification_id: UUID, *, user_id: UUID) -> Notification:
        """Raises NotificationNotFound."""

    async def mark_all_read(self, user_id: UUID) -> int:
        """How many were unread."""


class Events(Protocol):
    """The log that watchers follow: per user, gap-free, in commit order."""

    async def lock(self, user_id: UUID) -> None:
        """
        Serialise with every other change of this user until the transaction ends.

        First in every transaction that locks anything else: that is what prevents deadlocks.
        """

    async def append(self, user_id: UUID, events: Sequence[Event]) -> None: ...

    async def after(
        self,
        user_id: UUID,
        event_id: int,
        *,
        limit: int,
        interest: Interest = EVERYTHING,
        up_to: int | None = None,
    ) -> list[StoredEvent]:
        """Events of *interest* with a higher id, in order; none above *up_to*."""

    async def bounds(self, user_id: UUID) -> tuple[int, int]:
        """The last id given (the floor without events), and the oldest id still kept (last + 1 if
        none)."""

    async def users_before(
        self, before: datetime, *, after: UUID, limit: int
    ) -> tuple[UUID | None, list[UUID]]:
        """Of the next *limit* users after an id: the last of them (None: there are no more), and
        those whose log begins before that time."""

    async def prune(self, user_ids: Sequence[UUID], *, before: datetime, limit: int) -> int:
        """Delete the first events of these logs, at most *limit* in all, of each up to the first
        one that is not from before that time; how many those were."""

    async def restart_all(self, *, skip: int) -> int:
        """Empty all logs, and have them go on *skip* ids after the highest one ever given here;
        that id. Nothing else may be going on."""

    async def ring(self, user_id: UUID) -> None:
        """Have watchers of a user look at the log, once this is committed."""

    async def heads(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        """The last id given, of those users who have events."""


class IdempotencyKeys(Protocol):
    """Answers to requests that are done once."""

    async def claim(self, user_id: UUID, once: Once, *, since: datetime) -> StoredAnswer | None:
        """
        Have a key to oneself until the transaction ends; what was answered to the same request at
        or after *since*, or None.

        Raises IdempotencyKeyReused for another request, IdempotencyKeyInProgress when somebody
        has it.
        """

    async def keep(
        self, user_id: UUID, once: Once, answer: StoredAnswer, *, now: datetime
    ) -> None: ...

    async def prune(self, before: datetime, *, limit: int) -> int:
        """Delete what is older, at most *limit*; how many those were."""


class ApiKeys(Protocol):
    """Keys of users; their secrets are known by hash only."""

    async def add(self, key: ApiKey, secret_hash: bytes) -> None: ...

    async def count(self, user_id: UUID) -> int: ...

    async def find(self, secret_hash: bytes) -> ApiKey | None: ...

    async def used(self, key_id: UUID, *, now: datetime) -> None: ...

    async def page(self, page: Page, *, user_id: UUID) -> Paged[ApiKey]: ...

    async def delete(self, key_id: UUID, *, user_id: UUID) -> None:
        """Raises ApiKeyNotFound."""


class Webhooks(Protocol):
    """
    Endpoints, and what is on its way to them.

    An execution that ends makes its deliveries itself. Whoever writes here has the user's lock,
    so that nothing changes between a look and a write.
    """

    async def add(self, webhook: Webhook) -> None: ...

    async def count(self, user_id: UUID) -> int: ...

    async def get(self, webhook_id: UUID, *, user_id: UUID) -> Webhook:
        """Raises WebhookNotFound."""

    async def save(self, webhook: Webhook) -> None: ...

    async def delete(self, webhook_id: UUID) -> None:
        """With its deliveries."""

    async def page(self, page: Page, *, user_id: UUID) -> Paged[Webhook]:
        """Newest first."""

    async def add_delivery(self, delivery: Delivery) -> None: ...

    async def delivery(self, webhook_id: UUID, delivery_id: UUID, *, user_id: UUID) -> Delivery:
        """Raises DeliveryNotFound."""

    async def save_delivery(self, delivery: Delivery) -> None: ...

    async def deliveries(
        self, page: Page, webhook_id: UUID, *, user_id: UUID, status: DeliveryStatus | None
    ) -> Paged[Delivery]:
        """Newest first."""

    async def pending(self, webhook_id: UUID, delivery_id: UUID) -> tuple[Webhook, Delivery] | None:
        """A delivery that is to be attempted, and where; None when there is no such one."""

    async def prune(self, before: datetime, *, limit: int) -> int:
        """Delete what ended earlier, at most *limit*; how many those were."""


@dataclass(frozen=True, slots=True)
class UserRow:
    """A row that belongs to a user, as a JSON object."""

    table: str
    json: str


class UserData(Protocol):
    """All that is stored about a user, in every table."""

    def rows(self, user_id: UUID) -> AsyncIterator[UserRow]:
        """Without hashes and secrets; in a snapshot, all of one moment."""

    async def count(self, user_id: UUID) -> dict[str, int]:
        """Rows by table."""

    async def delete(self, user_id: UUID) -> dict[str, int]:
        """Rows that were deleted, by table."""

    async def to_stop(self, user_id: UUID) -> list[UUID]:
        """Executions with remote runs that are still to be stopped."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """One step of a walk through rows that may be too old."""

    count: int
    #: Where the next step begins; None when nothing follows.
    last: UUID | None


class Retention(Protocol):
    """
    Deletes what ended before a time, a bounded piece at a time.

    Each step looks at the next *limit* things after an id, oldest first; ids tell when a thing was
    made. What still runs is never touched, and whoever has a row locked is not waited for.
    """

    async def prune_executions(self, before: datetime, *, after: UUID, limit: int) -> Pruned:
        """Executions with their results, texts and log lines; not those whose remote runs are
        still to be stopped."""

    async def prune_logs(self, before: datetime, *, after: UUID, limit: int) -> Pruned:
        """All log lines of executions; the executions stay, and the count is theirs."""

    async def prune_notifications(self, before: datetime, *, after: UUID, limit: int) -> Pruned: ...


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What an endpoint answered, or why there is no answer."""

    duration_ms: int
    status_code: int | None
    error: str | None
    response: str | None = None
    retry_after_s: int | None = None


class WebhookSender(Protocol):
    """Requests to addresses that users name, so to nothing that is not meant for them."""

    def refusal(self, url: str) -> str | None:
        """Why nothing would be sent to this URL whatever its name resolves to; None when it may
        be."""

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookReply:
        """One POST; it follows no redirect and raises nothing."""


class Jobs(Protocol):
    """The queue; what is enqueued commits with the rest of the transaction."""

    async def drive(self, execution_id: UUID, *, behind: int = 0) -> None:
        """Have an execution driven; jobs with fewer *behind* (the executions that its user has
        running already) come first, so that everybody's first one waits for at most one slot."""

    async def state(self, execution_id: UUID) -> JobState:
        """What the queue has for an execution."""

    async def abort(self, execution_id: UUID) -> None:
        """Make whoever drives the execution stop, and forget the job if nobody does yet."""

    async def stop_runs(self, execution_id: UUID) -> None: ...

    async def deliver(self, delivery: Delivery) -> None:
        """Have a delivery attempted when it is due."""

    async def redeliver_lost(self, *, before: datetime) -> int:
        """Have those attempted that were due earlier and that no job is for; how many."""

    async def stuck(self, *, running_limit: int, user_id: UUID | None = None) -> list[Stuck]:
        """What nothing moves, oldest first, at most 1,000, of one user or of all;
        `running_limit` is the number of executions that a user may have running."""

    async def count_repair(self, execution_id: UUID) -> None: ...

    async def repairs(self) -> int:
        """How often an execution was found stuck and was repaired, since ever."""

    async def backlogs(self) -> Sequence["Backlog"]:
        """Every queue, also an empty one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """One of the queues; periodic jobs are left out."""

    queue: str
    pending: int
    running: int
    #: For how long the oldest job that is due has waited; 0 without any.
    oldest_due_s: float


class Transaction(Protocol):
    @property
    def teams(self) -> Teams: ...
    @property
    def executions(self) -> Executions: ...
    @property
    def capacity(self) -> Capacity: ...
    @property
    def reports(self) -> Reports: ...
    @property
    def notifications(self) -> Notifications: ...
    @property
    def events(self) -> Events: ...
    @property
    def api_keys(self) -> ApiKeys: ...
    @property
    def idempotency(self) -> IdempotencyKeys: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def user_data(self) -> UserData: ...
    @property
    def retention(self) -> Retention: ...
    @property
    def jobs(self) -> Jobs: ...


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Jobs waiting, jobs being worked on, and workers alive."""

    pending: int
    running: int
    workers: int


class Database(Protocol):
    """Raises DatabaseUnavailable from any use."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Commits on a clean exit, else rolls back. Fenced may come from the exit."""

    def autocommit(self) -> AbstractAsyncContextManager[Transaction]:
        """For reads, and for writes of one statement: each commits by itself."""

    def group_commit(self) -> AbstractAsyncContextManager[Transaction]:
        """For a write of one statement, which may share its commit with those of others."""

    def snapshot(self) -> AbstractAsyncContextManager[Transaction]:
        """For reads that must all see the same moment."""

    async def ping(self) -> None: ...

    async def queue_depth(self) -> QueueDepth: ...


class Reachable(Protocol):
    """A service that only has to answer."""

    async def ping(self) -> None:
        """Raises Unavailable."""


class LiveOutput(Protocol):
    """What running agents say, told to whoever watches right now, and to nobody later."""

    def publish(
        self, user_id: UUID, *, execution_id: UUID, result: AgentResult, offset: int, text: str
    ) -> None:
        """`offset` counts characters from the start of the attempt. Never raises: a lost chunk
        is no loss, the whole text comes with the result."""


class Subscription(Protocol):
    """One watcher's queue of serialised messages."""

    #: Takes texts at once, or says that it cannot. When set, what comes while `next` is awaited
    #: goes this way, without waking who awaits it.
    write: Callable[[Sequence[bytes]], bool] | None

    async def next(self) -> Sequence[Message]:
        """Everything that waits, oldest first; at least one message.

        Raises SlowWatcher when more waited than a watcher may leave behind, ResyncRequired when
        the log no longer has what was handed out, and StreamClosing."""

    @property
    def last_event_id(self) -> int:
        """The id up to which everything that is wanted was handed out."""

    @property
    def too_slow(self) -> bool:
        """Whether `next` is going to raise SlowWatcher."""

    def say(self, message: Message) -> None:
        """Tell this watcher alone, after all that waits."""

    def narrow(self, interest: Interest) -> int:
        """Change what it hears; returns the id from which on that holds."""

    async def restart(
        self, interest: Interest, snapshot: Callable[[], Awaitable[tuple[int, Sequence[Message]]]]
    ) -> None:
        """
        Change what it hears, told first what a snapshot says.

        *snapshot* returns the id that it stands for, and its messages; events up to that id are
        in it, those after it follow it. Nothing comes in between. Raises what *snapshot* raises,
        with nothing changed.
        """


class LiveStream(Protocol):
    """The event log as it grows, for watchers of this process."""

    def subscribe(
        self, user_id: UUID, *, after: int | None, interest: Interest = EVERYTHING
    ) -> AbstractAsyncContextManager[Subscription]:
        """
        Everything of *interest* after the given id, or from now on; no gap and no duplicate in
        between.

        Raises ResyncRequired when the log no longer reaches back to *after*, TooManyWatchers, and
        StreamClosing.
        """

    @property
    def connections(self) -> int:
        """Watchers of this process."""

    def close(self) -> None:
        """End every subscription; new ones are refused."""
