"""Settings that need no look outside: what is missing, weak or unsafe."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import jwt

from app.core.settings import Settings
from app.core.settings_rules import MIN_HS256_SECRET_BYTES, OFF, is_loopback, problems_of
from app.doctor.findings import Finding, failed, ok, skipped, warning
from app.infra.supabase.auth import SECRET_KEY_PREFIX

_PUBLISHABLE_PREFIX = "sb_publishable_"
#: Fewer different characters than a phrase has come from a keyboard held down.
_FEW_CHARACTERS = 10


def settings_findings(settings: Settings) -> list[Finding]:
    """Of production everything; development fills in what is missing."""
    findings = [_of_problem(p, settings) for p in problems_of(settings)]
    findings += [*_secrets(settings), *_origins(settings), *_proxies(settings)]
    if not settings.in_development:
        findings += _loose(settings)
    if not any(f.check == "settings.values" for f in findings):
        mode = settings.app_env
        findings.insert(0, ok("settings.values", f"complete and well formed for {mode}"))
    return findings


def _of_problem(problem: str, settings: Settings) -> Finding:
    detail, _, advice = problem.partition(": ")
    if settings.in_development and detail.endswith(" is missing"):
        return skipped("settings.values", f"{detail}; `renum-api dev` brings its own")
    return failed("settings.values", detail, advice or "correct it")


def _secrets(settings: Settings) -> Iterator[Finding]:
    secret = settings.jwt_secret_key.get_secret_value()
    if len(secret) >= MIN_HS256_SECRET_BYTES and len(set(secret)) < _FEW_CHARACTERS:
        yield failed(
            "secrets.jwt",
            f"JWT_SECRET_KEY has fewer than {_FEW_CHARACTERS} different characters",
            "use the project's own secret; a short pattern is guessed from one token",
        )
    suna = settings.suna_api_key.get_secret_value()
    if suna and not (suna.startswith("pk_") and ":sk_" in suna):
        yield warning(
            "secrets.suna",
            "SUNA_API_KEY does not look like a key of Suna",
            "copy both halves, as pk_...:sk_...",
        )
    anon = settings.supabase_anon_key.get_secret_value()
    if anon.startswith(SECRET_KEY_PREFIX) or _role(anon) == "service_role":
        yield failed(
            "secrets.supabase",
            "SUPABASE_ANON_KEY is the project's secret key",
            "set it to the publishable (or anon) key, and replace the secret one if it was shown",
        )
    service = settings.supabase_service_key.get_secret_value()
    if service.startswith(_PUBLISHABLE_PREFIX) or _role(service) == "anon":
        yield failed(
            "secrets.supabase",
            "SUPABASE_SERVICE_KEY is the project's public key",
            "set it to the secret key (sb_secret_...), or leave it empty",
        )
    elif not service.startswith(SECRET_KEY_PREFIX) and not settings.in_development:
        yield warning(
            "secrets.supabase",
            "without SUPABASE_SERVICE_KEY as sb_secret_..., Supabase counts sign-ins of all users "
            "together",
            "set it, so that each address of an end user has a limit of its own",
        )


def _role(key: str) -> str | None:
    """Of the older keys, which are JWTs; nothing is verified here."""
    try:
        return str(jwt.decode(key, options={"verify_signature": False}).get("role"))
    except jwt.InvalidTokenError:
        return None


def _origins(settings: Settings) -> Iterator[Finding]:
    bad = [o for o in settings.cors_origins if o != "*" and not _is_origin(o)]
    if bad:
        yield failed(
            "settings.cors",
            f"CORS_ORIGINS has what no browser ever sends: {', '.join(bad)}",
            "name scheme, host and port only, as https://app.example",
        )
    if settings.in_development:
        return
    plain = [o for o in settings.cors_origins if o.startswith("http://") and not _is_local(o)]
    if plain:
        yield warning(
            "settings.cors",
            f"CORS_ORIGINS allows pages over plain http: {', '.join(plain)}",
            "serve them over https, or whoever is on the way reads their tokens",
        )
    if not settings.cors_origins:
        yield warning(
            "settings.cors",
            "CORS_ORIGINS is empty, so no web page may call the API",
            "name the origins of your front ends; leave it if only servers call",
        )


def _is_origin(value: str) -> bool:
    try:
        parts = urlsplit(value)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return False
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return parts.scheme in ("http", "https") and value == f"{parts.scheme}://{host}{port}"


def _is_local(origin: str) -> bool:
    return is_loopback(urlsplit(origin).hostname or "")


def _proxies(settings: Settings) -> Iterator[Finding]:
    if any(network.prefixlen == 0 for network in settings.trusted_proxies):
        yield failed(
            "settings.proxies",
            "TRUSTED_PROXIES trusts everybody",
            "name the networks of your proxies; else anybody chooses the address that limits count",
        )
    elif not settings.trusted_proxies and not settings.in_development:
        yield warning(
            "settings.proxies",
            "TRUSTED_PROXIES is empty: behind a proxy, all users share its address and its limit "
            "of sign-ins",
            "name the networks of the proxies in front, as 10.0.0.0/8",
        )


def _loose(settings: Settings) -> Iterator[Finding]:
    if settings.webhooks_allow_private:
        yield warning(
            "settings.webhooks",
            "WEBHOOKS_ALLOW_PRIVATE lets users have requests sent into your network",
            "switch it off, unless everybody who may sign in may also reach all of it",
        )
    if settings.ws_allow_query_token:
        yield warning(
            "settings.websocket",
            "WS_ALLOW_QUERY_TOKEN lets tokens stand in addresses, which proxies write into logs",
            "have front ends send `authenticate`, then switch it off",
        )
    if settings.effective_log_level == "DEBUG":
        yield warning("settings.logs", "logs are at DEBUG", "set DEBUG=false, and LOG_LEVEL=INFO")
    limits = ("rate_limit_user", "rate_limit_login_address", "rate_limit_login_email")
    if unlimited := [n.upper() for n in limits if getattr(settings, n) == OFF]:
        yield warning(
            "settings.limits",
            f"not limited: {', '.join(unlimited)}",
            "set a rate, as 1200/minute",
        )
