"""The client: one object for one server and one user."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from renum.conformance import Options, Report, check
from renum.credentials import MemoryTokenStore, Tokens, TokenStore
from renum.errors import RenumError
from renum.events import EventStream, OnState
from renum.http import Http, content
from renum.models import Event, Execution, Health, Ready, ServicesHealth, TokenAnswer, User
from renum.parse import parse
from renum.resources import Agents, ApiKeys, Executions, Notifications, Teams, Webhooks
from renum.session import Session
from renum.sse import follow
from renum.timing import Timing
from renum.watch import OnEvent, OnSnapshot, Watch

# What a health check answers with when something is away; the body says what.
_DOWN = frozenset({503})


class AsyncClient:
    """
    Renum over HTTP and WebSocket.

        async with AsyncClient("http://127.0.0.1:8000") as renum:
            await renum.login("ana@renum.example", "renum-demo")
            run = await renum.teams.execute(team_id, "Launch our new product")
            done = await renum.watch(run.execution_id)

    Tokens are renewed by themselves; `store` keeps them between two uses. Reads, and what
    carries an idempotency key (making and starting), are tried a few times when the server
    cannot be reached; what else changes something is sent once.
    """

    def __init__(
        self,
        url: str,
        *,
        store: TokenStore | None = None,
        access_token: str | None = None,
        api_key: str | None = None,
        api_prefix: str = "/api/v1",
        timing: Timing | None = None,
    ) -> None:
        """
        `access_token` is used as it is, without renewal, and wins over the store; `api_key` is
        the same for machines, and wins over both.
        """
        self._timing = timing or Timing()
        if (credential := api_key or access_token) is not None:
            store = MemoryTokenStore(Tokens(access_token=credential))
        self._http = Http(url, api_prefix=api_prefix, timing=self._timing)
        self._session = Session(self._http, store or MemoryTokenStore(), self._timing)
        self._streams: set[EventStream] = set()
        self.agents = Agents(self._session)
        self.teams = Teams(self._session)
        self.executions = Executions(self._session)
        self.notifications = Notifications(self._session)
        self.api_keys = ApiKeys(self._session)
        self.webhooks = Webhooks(self._session)

    @property
    def url(self) -> str:
        return self._http.url

    @property
    def tokens(self) -> Tokens | None:
        """The tokens in use; None when not signed in."""
        return self._session.tokens

    async def login(self, email: str, password: str) -> User:
        """Sign in, and keep the tokens in the store."""
        body = {"email": email, "password": password}
        answer = await self._http.send("POST", "auth/login", json=body)
        user = parse(User, answer.get("user"))
        self._session.keep(Tokens.from_answer(parse(TokenAnswer, answer)))
        return user

    async def refresh(self) -> Tokens:
        """Renew the tokens now; there is no need to, requests do it by themselves."""
        await self._session.renew(await self._session.access_token())
        if self.tokens is None:  # pragma: no cover  a sign-out at the same moment
            raise RenumError("signed out meanwhile")
        return self.tokens

    async def logout(self) -> None:
        """End this session on the server and forget its tokens, also when the server is away."""
        try:
            if self.tokens is not None:
                await self._session.send("POST", "auth/logout")
        finally:
            self._session.keep(None)

    async def me(self) -> User:
        return parse(User, await self._session.send("GET", "auth/me"))

    async def health(self) -> Health:
        """Whether the server is alive; needs no login."""
        return parse(Health, await self._http.send("GET", "/health"))

    async def ready(self) -> Ready:
        """Whether the server takes work, and what it lacks where it does not; needs no login."""
        answer = await self._http.ask("GET", "/health/ready", accepted=_DOWN)
        return parse(Ready, content(answer))

    async def services(self) -> ServicesHealth:
        """How the server and what it depends on are, also while it is down; needs no login."""
        answer = await self._http.ask("GET", "/health/services", accepted=_DOWN)
        return parse(ServicesHealth, content(answer))

    async def follow(
        self, after: int | None = None, *, types: Sequence[str] | None = None
    ) -> AsyncIterator[Event]:
        """
        As `events`, over server-sent events: for networks without WebSocket.

        Without `after` from now on; `types` narrows it. Lost connections come back and resume.
        """
        async for event in follow(self._session, "events", after=after, types=types):
            yield event

    def events(self, after: int | None = None, *, on_state: OnState | None = None) -> EventStream:
        """Everything that happens to this user, from now on or from after event `after`."""
        stream = EventStream(
            self._session,
            after=after,
            on_state=on_state,
            timing=self._timing,
            on_close=self._streams.discard,
        )
        self._streams.add(stream)
        return stream

    async def watch(
        self,
        execution_id: str,
        *,
        on_snapshot: OnSnapshot | None = None,
        on_event: OnEvent | None = None,
        on_state: OnState | None = None,
        patience_s: float = 300.0,
    ) -> Execution:
        """
        Follow an execution to its end; returns its final snapshot.

        `on_snapshot` gets the whole state at the start and whenever it was read anew,
        `on_event` each event of this execution. An event may repeat what a snapshot told.

        Raises:
            NotFound: there is no such execution.
            ConnectionFailed: the server is away at the start, or later for over `patience_s`.
        """
        async with self.events(on_state=on_state) as stream:
            watch = Watch(
                execution_id,
                self.executions,
                stream,
                on_snapshot=on_snapshot,
                on_event=on_event,
                patience_s=patience_s,
                timing=self._timing,
            )
            return await watch.run()

    async def conformance(self, options: Options | None = None) -> Report:
        """Examine whether the server's event stream loses, repeats or reorders anything."""
        return await check(self._session, options or Options())

    async def aclose(self) -> None:
        """Close every stream and connection."""
        for stream in tuple(self._streams):
            await stream.aclose()
        await self._session.aclose()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
