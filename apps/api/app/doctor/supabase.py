"""Supabase Auth: answers, accepts our keys, and shows the keys that it signs with."""

import aiohttp
from pydantic_core import from_json

from app.core.security import parse_key_set
from app.core.settings import Settings
from app.doctor.clock import date_finding, now
from app.doctor.findings import Finding, failed, ok, skipped, warning

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)


async def supabase_findings(settings: Settings) -> list[Finding]:
    if not settings.supabase_url:
        return [skipped("supabase.reachable", "SUPABASE_URL is not set")]
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        findings = await _health(settings, session)
        if findings[0].check == "supabase.reachable" and findings[0].advice is not None:
            return findings
        return [*findings, await _signing_keys(settings, session)]


async def _health(settings: Settings, session: aiohttp.ClientSession) -> list[Finding]:
    url = f"{settings.auth_url}/health"
    findings: list[Finding] = []
    keys = {
        "SUPABASE_ANON_KEY": settings.supabase_anon_key.get_secret_value(),
        "SUPABASE_SERVICE_KEY": settings.supabase_service_key.get_secret_value(),
    }
    for name, key in keys.items():
        if not key:
            continue
        asked_at = now()
        try:
            async with session.get(url, headers={"apikey": key}, allow_redirects=False) as answer:
                status, headers = answer.status, dict(answer.headers)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            advice = "check SUPABASE_URL; a project that was paused is resumed in the dashboard"
            said = f"{settings.supabase_url}: no answer ({type(error).__name__})"
            return [failed("supabase.reachable", said, advice)]
        if not findings:
            findings.append(_reachable(settings, status))
            middle = asked_at + (now() - asked_at) / 2
            findings += date_finding("supabase.clock", "Supabase's", headers, middle)
            if findings[0].advice is not None:
                return findings
        findings.append(_accepted(name, status))
    if not findings:
        return [skipped("supabase.keys", "no key is set")]
    return findings


def _reachable(settings: Settings, status: int) -> Finding:
    if status in (200, 401, 403):
        return ok("supabase.reachable", f"{settings.supabase_url} answers")
    advice = "set SUPABASE_URL to https://<ref>.supabase.co, without a path"
    if status >= 500:
        advice = "look at the project's status in the dashboard"
    return failed("supabase.reachable", f"{settings.auth_url}/health answers {status}", advice)


def _accepted(name: str, status: int) -> Finding:
    check = f"supabase.{name.removeprefix('SUPABASE_').lower()}"
    if status == 200:
        return ok(check, "accepted")
    return failed(
        check,
        f"{name} is refused ({status})",
        "copy it again from the project's API keys; it may be another project's, or was revoked",
    )


async def _signing_keys(settings: Settings, session: aiohttp.ClientSession) -> Finding:
    has_secret = bool(settings.jwt_secret_key.get_secret_value())
    try:
        async with session.get(settings.jwks_url, allow_redirects=False) as answer:
            answer.raise_for_status()
            keys = parse_key_set(from_json(await answer.read()))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return failed(
            "supabase.jwks",
            f"{settings.jwks_url} gives no signing keys ({type(error).__name__})",
            "check SUPABASE_JWKS_URL; by default it is below SUPABASE_URL",
        )
    if keys:
        return ok("supabase.jwks", f"{len(keys)} signing keys")
    if has_secret:
        return warning(
            "supabase.jwks",
            "the project signs with a shared secret, which JWT_SECRET_KEY is taken for",
            "move the project to asymmetric signing keys; then no secret is needed here",
        )
    return failed(
        "supabase.jwks",
        "the project publishes no signing keys, so no token can be verified",
        "set JWT_SECRET_KEY to the project's JWT secret, or move to asymmetric signing keys",
    )
