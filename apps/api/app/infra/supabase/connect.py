"""Joins the settings to a project of Supabase: one HTTP session for all that is asked of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from app import __version__
from app.common.breaker import Breaker
from app.core.security import Rules
from app.core.settings import Settings
from app.infra.supabase.auth import SECRET_KEY_PREFIX, SupabaseAuth
from app.infra.supabase.jwks import JwksCache
from app.infra.supabase.tokens import SupabaseTokens

# Sign-in hashes a password on purpose slowly; more than this is an outage all the same.
TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)


@dataclass(frozen=True, slots=True)
class Supabase:
    identity: SupabaseAuth
    tokens: SupabaseTokens


@asynccontextmanager
async def connect(
    settings: Settings, traces: Sequence[aiohttp.TraceConfig] = ()
) -> AsyncIterator[Supabase]:
    """Makes no request yet; *traces* are told of each."""
    service_key = settings.supabase_service_key.get_secret_value()
    api_key = (
        service_key
        if service_key.startswith(SECRET_KEY_PREFIX)
        else settings.supabase_anon_key.get_secret_value()
    )
    async with aiohttp.ClientSession(
        timeout=TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),  # answers of one user must not touch the next
        headers={"User-Agent": f"renum-api/{__version__}"},
        trace_configs=list(traces),
    ) as http:
        yield Supabase(
            identity=SupabaseAuth(http, settings.auth_url, api_key, Breaker("supabase auth")),
            tokens=SupabaseTokens(
                JwksCache(http, settings.jwks_url),
                Rules(settings.issuer, settings.jwt_audience),
                shared_secret=settings.jwt_secret_key.get_secret_value(),
            ),
        )
