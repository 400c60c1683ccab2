"""The client without `async`: for scripts, notebooks and threads."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from renum.blocking_resources import (
    Agents,
    ApiKeys,
    Executions,
    Notifications,
    Teams,
    Webhooks,
)
from renum.client import AsyncClient
from renum.credentials import Tokens, TokenStore
from renum.events import OnState
from renum.loop import Loop
from renum.models import Event, Execution, Health, Ready, ServicesHealth, User
from renum.timing import Timing
from renum.watch import OnEvent, OnSnapshot


class Client:
    """
    AsyncClient for code without `async`: the same methods, arguments and errors.

        with Client("http://127.0.0.1:8000") as renum:
            renum.login("ana@renum.example", "renum-demo")
            run = renum.teams.execute(team_id, "Launch our new product")
            done = renum.watch(run.execution_id)

    Connections live in a thread of its own; callbacks are called there.
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
        """As AsyncClient."""

        async def made() -> AsyncClient:
            return AsyncClient(
                url,
                store=store,
                access_token=access_token,
                api_key=api_key,
                api_prefix=api_prefix,
                timing=timing,
            )

        self._loop = Loop()
        try:
            self._client = self._loop.run(made())
        except BaseException:
            self._loop.close()
            raise
        self.agents = Agents(self._loop, self._client.agents)
        self.teams = Teams(self._loop, self._client.teams)
        self.executions = Executions(self._loop, self._client.executions)
        self.notifications = Notifications(self._loop, self._client.notifications)
        self.api_keys = ApiKeys(self._loop, self._client.api_keys)
        self.webhooks = Webhooks(self._loop, self._client.webhooks)

    @property
    def url(self) -> str:
        return self._client.url

    @property
    def tokens(self) -> Tokens | None:
        """The tokens in use; None when not signed in."""
        return self._client.tokens

    def login(self, email: str, password: str) -> User:
        """Sign in, and keep the tokens in the store."""
        return self._loop.run(self._client.login(email, password))

    def refresh(self) -> Tokens:
        """Renew the tokens now; there is no need to, requests do it by themselves."""
        return self._loop.run(self._client.refresh())

    def logout(self) -> None:
        """End this session on the server and forget its tokens, also when the server is away."""
        self._loop.run(self._client.logout())

    def me(self) -> User:
        """Who is signed in."""
        return self._loop.run(self._client.me())

    def health(self) -> Health:
        """Whether the server is alive; needs no login."""
        return self._loop.run(self._client.health())

    def ready(self) -> Ready:
        """Whether the server takes work; needs no login."""
        return self._loop.run(self._client.ready())

    def services(self) -> ServicesHealth:
        """How the server and what it depends on are; needs no login."""
        return self._loop.run(self._client.services())

    def follow(
        self, after: int | None = None, *, types: Sequence[str] | None = None
    ) -> Iterator[Event]:
        """As AsyncClient.follow."""
        return self._loop.iterate(self._client.follow(after, types=types))

    def events(
        self, after: int | None = None, *, on_state: OnState | None = None
    ) -> Iterator[Event]:
        """
        Everything that happens to this user, from now on or from event `after`; see EventStream.

        It begins with the first item that is asked for, and closes with the iterator.
        """
        return self._loop.iterate(self._client.events(after, on_state=on_state))

    def watch(
        self,
        execution_id: str,
        *,
        on_snapshot: OnSnapshot | None = None,
        on_event: OnEvent | None = None,
        on_state: OnState | None = None,
        patience_s: float = 300.0,
    ) -> Execution:
        """As AsyncClient.watch."""
        return self._loop.run(
            self._client.watch(
                execution_id,
                on_snapshot=on_snapshot,
                on_event=on_event,
                on_state=on_state,
                patience_s=patience_s,
            )
        )

    def close(self) -> None:
        """Close every stream and connection, and end the thread."""
        try:
            self._loop.run(self._client.aclose())
        finally:
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
