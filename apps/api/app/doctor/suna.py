"""Suna: answers, speaks a dialect that we know, and lets us in."""

from collections.abc import Mapping
from uuid import uuid4

import aiohttp

from app.common.breaker import Breaker
from app.core.security import Rules, minter
from app.core.settings import Settings
from app.doctor.clock import date_finding, now
from app.doctor.findings import Finding, failed, ok, skipped, warning
from app.domain.agents import RunLost, SunaRefused, SunaUnavailable
from app.infra.suna.credentials import ApiKey, Credential, MintedToken
from app.infra.suna.dialects import DialectFinder
from app.infra.suna.directory import AgentLists, SunaAgentDirectory
from app.infra.suna.http import SunaHttp

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)


async def suna_findings(settings: Settings) -> list[Finding]:
    url = settings.suna_api_url
    if not url:
        return [skipped("suna.reachable", "SUNA_API_URL is not set")]
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        asked_at = now()
        try:
            async with session.get(f"{url}/health", allow_redirects=False) as answer:
                status, headers = answer.status, dict(answer.headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            advice = "start it, or check SUNA_API_URL and what is in between"
            return [failed("suna.reachable", f"{url}: no answer ({_said(error)})", advice)]
        findings = [_reachable(url, status, headers)]
        findings += date_finding("suna.clock", "Suna's", headers, now() - (now() - asked_at) / 2)
        if findings[0].advice is None:
            findings.append(await _dialect(settings, session))
            findings.append(await _access(settings, session))
        return findings


def _said(error: Exception) -> str:
    return type(error).__name__


def _reachable(url: str, status: int, headers: Mapping[str, str]) -> Finding:
    if status == 200:
        return ok("suna.reachable", f"{url} is well")
    if 300 <= status < 400:
        to = headers.get("Location", "elsewhere")
        advice = "set SUNA_API_URL to where it leads"
        return failed("suna.reachable", f"{url} answers {status}, a redirect to {to}", advice)
    advice = "set SUNA_API_URL to the base that ends in /api or /v1"
    if status >= 500:
        advice = "look at Suna: it says itself that it is not well"
    return failed("suna.reachable", f"{url}/health answers {status}", advice)


async def _dialect(settings: Settings, session: aiohttp.ClientSession) -> Finding:
    setting = settings.suna_api_dialect
    try:
        offered = (await DialectFinder(session, settings.suna_api_url, "auto").find()).name
    except SunaUnavailable as error:
        advice = "look at what is between us and Suna: its health was fine"
        return failed("suna.dialect", str(error), advice)
    except SunaRefused as error:
        if setting != "auto":
            return ok("suna.dialect", f"{setting}, as set; Suna itself says nothing of it")
        return failed("suna.dialect", str(error), "set SUNA_API_URL or SUNA_API_DIALECT")
    if setting not in ("auto", offered):
        return warning(
            "suna.dialect",
            f"SUNA_API_DIALECT is {setting}, and Suna offers {offered}",
            f"set SUNA_API_DIALECT to auto or {offered}",
        )
    return ok("suna.dialect", offered)


async def _access(settings: Settings, session: aiohttp.ClientSession) -> Finding:
    credential: Credential = ApiKey(settings.suna_api_key.get_secret_value())
    key = "SUNA_API_KEY"
    if settings.suna_auth_mode == "forward":
        secret = settings.jwt_secret_key.get_secret_value()
        if not secret:
            return failed(
                "suna.access",
                "with SUNA_AUTH_MODE=forward, runs in the background fail without JWT_SECRET_KEY",
                "set it to the project's signing secret, or use SUNA_AUTH_MODE=api_key",
            )
        rules = Rules(settings.issuer, settings.jwt_audience)
        credential, key = MintedToken(uuid4(), minter(secret, rules)), "a token by JWT_SECRET_KEY"
    http = SunaHttp(session, settings.suna_api_url, credential, Breaker("suna"))
    try:
        listing = await SunaAgentDirectory(http, AgentLists().of(None)).list()
    except (SunaRefused, RunLost) as error:
        return failed("suna.access", str(error), f"{credential.advice}")
    except SunaUnavailable as error:
        advice = "look at Suna's log: its health was fine, its list of agents was not"
        return failed("suna.access", str(error), advice)
    if not listing.agents and settings.suna_auth_mode == "api_key":
        advice = "make agents there; teams are made of them"
        return warning("suna.access", "the account has no agents", advice)
    return ok("suna.access", f"{key} is accepted, {len(listing.agents)} agents")
