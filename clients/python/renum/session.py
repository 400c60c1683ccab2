"""Requests as a signed-in user: tokens are renewed before they end and when refused."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from renum.credentials import Tokens, TokenStore
from renum.errors import ApiError, ConnectionFailed, NotSignedIn, Unauthorized
from renum.http import Http
from renum.models import TokenAnswer
from renum.parse import parse
from renum.timing import Timing

T = TypeVar("T")


class Session:
    """The one place that knows tokens; refreshes are single-flight."""

    def __init__(self, http: Http, store: TokenStore, timing: Timing) -> None:
        self.http = http
        self._store = store
        self.timing = timing
        self._tokens = store.load()
        self._renewal: asyncio.Task[str] | None = None

    @property
    def tokens(self) -> Tokens | None:
        return self._tokens

    def keep(self, tokens: Tokens | None) -> None:
        """Use these tokens from now on, and store them."""
        self._tokens = tokens
        self._store.save(tokens)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """
        As Http.send, with a token.

        A 401 means that nothing was done, so after a renewal any request may be sent again.
        """

        async def once(token: str) -> dict[str, Any]:
            return await self.http.send(
                method, path, token=token, params=params, json=json, headers=headers
            )

        return await self._with_token(once)

    async def send_for_text(self, path: str) -> str:
        """The text that a GET answers with; otherwise as `send`."""

        async def once(token: str) -> str:
            return (await self.http.ask("GET", path, token=token)).text

        return await self._with_token(once)

    async def _with_token(self, once: Callable[[str], Awaitable[T]]) -> T:
        token = await self.access_token()
        try:
            return await once(token)
        except Unauthorized:
            if not self.can_renew:
                raise
        return await once(await self.renew(token))

    @property
    def can_renew(self) -> bool:
        return self._tokens is not None and self._tokens.refresh_token is not None

    async def access_token(self) -> str:
        """
        A token that is valid as far as we can know.

        Raises:
            NotSignedIn: there is none.
            Unauthorized: it ended, and the server refuses to renew it.
        """
        tokens = self._tokens
        if tokens is None:
            raise NotSignedIn(f"you are not signed in to {self.http.url}")
        if not self.can_renew or not tokens.expires_within(self.timing.refresh_margin_s):
            return tokens.access_token
        try:
            return await self.renew(tokens.access_token)
        except (ConnectionFailed, ApiError) as error:
            if isinstance(error, Unauthorized) or tokens.expires_within(0):
                raise
            return tokens.access_token  # still good for a while; the next call tries again

    async def renew(self, refused: str) -> str:
        """
        A token other than `refused`; callers at the same time share one refresh.

        The refresh goes on when the caller is cancelled: the server may have rotated the
        refresh token already, and the new one must not be lost.
        """
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(refused))
            # Its error may find no listener: a cancelled caller no longer waits for it.
            self._renewal.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._renewal)

    async def _renew(self, refused: str) -> str:
        async with self._store.exclusive():
            # Another user of the store may have renewed, or signed out, in the meantime.
            if (stored := self._store.load()) is not None:
                self._tokens = stored
            tokens = self._tokens
            if tokens is None or tokens.refresh_token is None:
                raise NotSignedIn(f"you are not signed in to {self.http.url}")
            if tokens.access_token != refused and not tokens.expires_within(0):
                return tokens.access_token
            try:
                answer = await self.http.send("POST", "auth/refresh", token=tokens.refresh_token)
            except Unauthorized:
                self.keep(None)
                raise
            renewed = Tokens.from_answer(parse(TokenAnswer, answer), before=tokens)
            self.keep(renewed)
            return renewed.access_token

    async def aclose(self) -> None:
        """Let a refresh under way end: its token would be lost."""
        if self._renewal is not None:
            await asyncio.wait({self._renewal}, timeout=self.timing.read_s)
