"""The public keys of a Supabase project, kept at hand."""

import asyncio
import time
from collections.abc import Callable

import aiohttp
import structlog
from jwt import PyJWK

from app.core.security import parse_key_set
from app.infra.supabase.answers import parse_json, unavailable

#: As long as Supabase's own edge caches them.
TTL_S = 600.0
#: A key that everybody trusted yesterday is better than nobody being let in.
STALE_S = 24 * 3600.0
#: Between two looks for a key that is not there, whoever asks and however often.
RETRY_S = 30.0
#: After a failed look, while there are no keys at all.
FIRST_RETRY_S = 1.0

_log = structlog.get_logger(__name__)


class JwksCache:
    """Asks once for all who wait, and seldom. *clock* gives monotonic seconds."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")

    async def key(self, kid: str) -> PyJWK | None:
        """The key with this id, or None when the project has none. Raises AuthUnavailable."""
        if self._age() > TTL_S:
            await self._refresh(RETRY_S if self._age() <= STALE_S else FIRST_RETRY_S)
        elif kid not in self._keys:
            await self._refresh(RETRY_S)
        if self._age() > STALE_S:
            raise unavailable("its signing keys cannot be fetched")
        return self._keys.get(kid)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _refresh(self, at_most_every_s: float) -> None:
        """Fetch, unless somebody did so just now: also the one that we waited for."""
        async with self._lock:
            if self._clock() - self._asked_at < at_most_every_s:
                return
            try:
                self._keys = await self._fetch()
                self._fetched_at = self._clock()
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                _log.warning("signing keys not fetched", url=self._url, error=repr(error))
            # Counted from the end, so that a slow failure does not invite the next at once; and
            # not at all for a caller that went away in between.
            self._asked_at = self._clock()

    async def _fetch(self) -> dict[str, PyJWK]:
        async with self._http.get(self._url) as answer:
            answer.raise_for_status()
            return parse_key_set(parse_json(await answer.read()))
