"""Joins the settings to a Suna: one HTTP session for all that is asked of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
import structlog

from app import __version__
from app.common.breaker import Breaker, BreakerState
from app.core.security import Rules, minter
from app.core.settings import Settings
from app.domain.agents import RunLost, SunaRefused, SunaUnavailable
from app.domain.users import Identity
from app.infra.suna.credentials import ApiKey, MintedToken, RequestToken
from app.infra.suna.dialects import DialectFinder
from app.infra.suna.directory import AgentLists, SunaAgentDirectory
from app.infra.suna.http import TIMEOUT, SunaHttp
from app.infra.suna.runtime import SunaAgentRuntime

_log = structlog.get_logger(__name__)


class ConnectedSuna:
    """The `Suna` port: everybody's account behind one key, or each user's own."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._breaker = Breaker("suna")
        self._dialects = DialectFinder(session, settings.suna_api_url, settings.suna_api_dialect)
        self._lists = AgentLists()
        self._forwards = settings.suna_auth_mode == "forward"
        key = ApiKey(settings.suna_api_key.get_secret_value())
        self._http = SunaHttp(session, settings.suna_api_url, key, self._breaker)
        secret = settings.jwt_secret_key.get_secret_value()
        rules = Rules(settings.issuer, settings.jwt_audience)
        self._mint = minter(secret, rules) if secret else None
        if self._forwards and not secret:
            _log.warning("runs in the background will fail: forward needs JWT_SECRET_KEY")

    def runtime(self, user_id: UUID) -> SunaAgentRuntime:
        http = self._http
        if self._forwards:
            http = http.acting_as(MintedToken(user_id, self._mint))
        return SunaAgentRuntime(http, self._dialects)

    def agents(self, identity: Identity) -> SunaAgentDirectory:
        if not self._forwards:
            return SunaAgentDirectory(self._http, self._lists.of(None))
        # An API key of Renum's is none of Suna's business.
        credential = (
            RequestToken(identity.token)
            if identity.scopes is None
            else MintedToken(identity.user.id, self._mint)
        )
        http = self._http.acting_as(credential)
        return SunaAgentDirectory(http, self._lists.of(identity.user.id))

    @property
    def breaker(self) -> BreakerState:
        return self._breaker.state

    async def health(self) -> None:
        try:
            await self._http.health()
        except (RunLost, SunaRefused) as error:
            raise SunaUnavailable(f"Suna's health check failed: {error}") from error


@asynccontextmanager
async def connect(
    settings: Settings, traces: Sequence[aiohttp.TraceConfig] = ()
) -> AsyncIterator[ConnectedSuna]:
    """Makes no request yet; *traces* are told of each."""
    async with aiohttp.ClientSession(
        # Every run that is followed holds one connection, and an execution may follow many: a
        # limit here would look like a Suna that does not answer.
        connector=aiohttp.TCPConnector(limit=0),
        timeout=TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"renum-api/{__version__}"},
        trace_configs=list(traces),
    ) as session:
        yield ConnectedSuna(settings, session)
