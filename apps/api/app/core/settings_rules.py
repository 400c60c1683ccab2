"""What makes a set of settings good enough to start with; see `Settings.check`."""

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import limits
from pydantic import BeforeValidator

if TYPE_CHECKING:
    from app.core.settings import Settings

#: RFC 7518 §3.2: a key for HS256 has at least the size of the hash.
MIN_HS256_SECRET_BYTES = 32
TRANSACTION_POOLER_PORT = 6543

#: The value of a rate limit that is not kept.
OFF = "off"

_REQUIRED = {
    "database_url": "the PostgreSQL to use, as postgresql://user:password@host:5432/name",
    "suna_api_url": "the root of Suna's API, as https://suna.example/api",
    "suna_api_key": "Suna's API key, as pk_...:sk_..., unless SUNA_AUTH_MODE=forward",
    "supabase_url": "the Supabase project, as https://<ref>.supabase.co",
    "supabase_anon_key": "the project's publishable (or anon) key",
}
_KEYS = ("suna_api_key", "supabase_anon_key", "supabase_service_key")
_CALLED_URLS = ("suna_api_url", "supabase_url", "supabase_jwks_url")


def rate(value: str) -> str:
    """`600/minute`, `20 per 5 minutes`, or `off`."""
    if value.strip().lower() == OFF:
        return OFF
    try:
        limits.parse(value)
    except ValueError:
        raise ValueError(f"must be like 600/minute, or {OFF}") from None
    return value


def problems_of(settings: "Settings") -> list[str]:
    """Everything that is missing, weak or unsafe: one sentence each, naming its variable."""
    problems = [
        f"{name.upper()} is missing: set it to {what}"
        for name, what in _REQUIRED.items()
        if not getattr(settings, name)
        and not (name == "suna_api_key" and settings.suna_auth_mode == "forward")
    ]
    problems += _database_problems(settings)
    redis_url = settings.redis_url.get_secret_value()
    if redis_url and not redis_url.startswith(("redis://", "rediss://")):
        problems.append("REDIS_URL must start with redis:// or rediss://")
    if not settings.suna_allow_insecure:
        problems += [
            f"{name.upper()} is plain http to another machine: use https, or accept it with "
            "SUNA_ALLOW_INSECURE=true"
            for name in _CALLED_URLS
            if _is_exposed(getattr(settings, name))
        ]
    secret = settings.jwt_secret_key.get_secret_value()
    if secret and len(secret.encode()) < MIN_HS256_SECRET_BYTES:
        problems.append(
            f"JWT_SECRET_KEY is weak: it needs at least {MIN_HS256_SECRET_BYTES} bytes; leave it "
            "empty when the project signs with asymmetric keys"
        )
    kept, events = settings.execution_retention_days, settings.event_retention_days
    if kept is not None and kept < events:
        problems.append(
            f"EXECUTION_RETENTION_DAYS is {kept}: it must not be below EVENT_RETENTION_DAYS "
            f"({events}), or the live stream tells of executions that are gone"
        )
    if not settings.in_development:
        problems += _production_problems(settings)
    return problems


def _database_problems(settings: "Settings") -> list[str]:
    problems = []
    for name in ("database_url", "database_direct_url"):
        url = getattr(settings, name).get_secret_value()
        if url and not url.startswith(("postgresql://", "postgres://")):
            problems.append(f"{name.upper()} must start with postgresql://")
    direct = settings.direct_url.get_secret_value()
    if direct and _port(direct) == TRANSACTION_POOLER_PORT:
        problems.append(
            "DATABASE_DIRECT_URL is missing: port 6543 is Supabase's transaction pooler, which "
            "cannot LISTEN; set it to the session pooler or to the database itself (port 5432)"
        )
    return problems


def _production_problems(settings: "Settings") -> list[str]:
    problems = [
        f"{name.upper()} is a key of the sandbox, which everybody knows: use your own"
        for name in _KEYS
        if "renumsandbox" in getattr(settings, name).get_secret_value().replace("_", "")
    ]
    if "*" in settings.cors_origins:
        problems.append("CORS_ORIGINS must name its origins: * is for development only")
    return problems


def _is_exposed(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:  # several hosts in one DSN: none of them is a pooler of Supabase
        return None


def base_url(value: str) -> str:
    """An http(s) URL without its trailing slash; empty stays empty."""
    if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
        raise ValueError("must be a URL that starts with http:// or https://")
    return value.rstrip("/")


def path_prefix(value: str) -> str:
    """A path that starts with a slash and does not end with one."""
    if not value.startswith("/") or value.endswith("/"):
        raise ValueError("must start with / and not end with it, as /api/v1")
    return value


def listed() -> BeforeValidator:
    """Reads a list from a variable: JSON, as the specification writes it, or comma separated."""

    def parse(value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except ValueError:
                raise ValueError('must be a JSON list, as ["https://app.example"]') from None
        return [item.strip() for item in value.split(",") if item.strip()]

    return BeforeValidator(parse)
