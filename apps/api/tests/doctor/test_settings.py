"""The doctor on settings alone."""

from typing import Any

import jwt
import pytest

from app.core.settings import Settings
from app.doctor.findings import Outcome
from app.doctor.settings import settings_findings

FAILED, WARNING = Outcome.FAILED, Outcome.WARNING
GOOD: dict[str, Any] = {
    "database_url": "postgresql://renum:secret@db.example:5432/renum",
    "suna_api_url": "https://suna.example/v1",
    "suna_api_key": "pk_one:sk_two",
    "supabase_url": "https://ref.supabase.co",
    "supabase_anon_key": "sb_publishable_ours",
    "supabase_service_key": "sb_secret_ours",
    "cors_origins": ("https://app.example",),
    "trusted_proxies": ("10.0.0.0/8",),
}


def key(role: str) -> str:
    return jwt.encode({"role": role}, "x" * 32)


def findings(**changes: Any) -> dict[str, Outcome]:
    settings = Settings(_env_file=None, **(GOOD | changes))
    return {f.check: f.outcome for f in settings_findings(settings)}


def test_production_as_it_should_be() -> None:
    assert findings() == {"settings.values": Outcome.OK}


@pytest.mark.parametrize(
    ("changes", "check", "outcome"),
    [
        ({"suna_api_url": ""}, "settings.values", FAILED),
        ({"jwt_secret_key": "a short one"}, "settings.values", FAILED),
        ({"suna_api_url": "http://suna.example/v1"}, "settings.values", FAILED),
        ({"jwt_secret_key": "ab" * 20}, "secrets.jwt", FAILED),
        ({"suna_api_key": "sk_two"}, "secrets.suna", WARNING),
        ({"supabase_anon_key": "sb_secret_ours"}, "secrets.supabase", FAILED),
        ({"supabase_anon_key": key("service_role")}, "secrets.supabase", FAILED),
        ({"supabase_service_key": key("anon")}, "secrets.supabase", FAILED),
        ({"supabase_service_key": "sb_publishable_ours"}, "secrets.supabase", FAILED),
        ({"supabase_service_key": key("service_role")}, "secrets.supabase", WARNING),
        ({"supabase_service_key": ""}, "secrets.supabase", WARNING),
        ({"cors_origins": ()}, "settings.cors", WARNING),
        ({"cors_origins": ("https://app.example/",)}, "settings.cors", FAILED),
        ({"cors_origins": ("app.example",)}, "settings.cors", FAILED),
        ({"cors_origins": ("https://app.example/app",)}, "settings.cors", FAILED),
        ({"cors_origins": ("http://app.example",)}, "settings.cors", WARNING),
        ({"cors_origins": ("*",)}, "settings.values", FAILED),
        ({"trusted_proxies": ()}, "settings.proxies", WARNING),
        ({"trusted_proxies": ("0.0.0.0/0",)}, "settings.proxies", FAILED),
        ({"webhooks_allow_private": True}, "settings.webhooks", WARNING),
        ({"ws_allow_query_token": True}, "settings.websocket", WARNING),
        ({"debug": True}, "settings.logs", WARNING),
        ({"rate_limit_user": "off"}, "settings.limits", WARNING),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_wrong_is_found(changes: dict[str, Any], check: str, outcome: Outcome) -> None:
    others = {"settings.values": Outcome.OK} if check != "settings.values" else {}
    assert findings(**changes) == others | {check: outcome}


@pytest.mark.parametrize(
    "origins", [("http://localhost:3000", "https://[::1]:8443", "https://app.example:8443")]
)
def test_good_origins(origins: tuple[str, ...]) -> None:
    assert "settings.cors" not in findings(cors_origins=origins)


def test_development_brings_what_is_missing() -> None:
    found = settings_findings(Settings(_env_file=None, app_env="development"))
    assert {f.outcome for f in found} == {Outcome.SKIPPED}
