"""The doctor on Suna, Supabase, Redis and the collector."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from app.core.settings import Settings
from app.doctor.findings import Outcome
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.doctor.diagnosis import about, complaint
from tests.ports import a_free_port
from tests.supabase.server import Scripted, scripted_server
from tests.tracing.collector import collecting

FAILED, WARNING, OK = Outcome.FAILED, Outcome.WARNING, Outcome.OK


def nowhere() -> str:
    return f"http://127.0.0.1:{a_free_port()}"


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with scripted_server() as server:
        yield server


# ---- Suna ----------------------------------------------------------------------------------------


async def test_suna_is_well(settings: Settings) -> None:
    seen = await about(settings, "suna")
    assert {c: f.outcome for c, f in seen.items()} == {
        "suna.reachable": OK,
        "suna.clock": OK,
        "suna.dialect": OK,
        "suna.access": OK,
    }
    assert seen["suna.dialect"].detail == "start"
    assert seen["suna.access"].detail.startswith("SUNA_API_KEY is accepted, ")


async def test_suna_is_away(settings: Settings) -> None:
    found = await complaint(settings.having({"suna_api_url": nowhere()}), "suna.reachable")
    assert (found.outcome, "no answer" in found.detail) == (FAILED, True)


async def test_a_password_in_an_address_is_not_shown(settings: Settings) -> None:
    url = nowhere().replace("://", "://ana:hidden@")
    found = await complaint(settings.having({"suna_api_url": url}), "suna.reachable")
    assert "ana:[redacted]@127.0.0.1" in found.detail


async def test_suna_says_that_it_is_not_well(settings: Settings) -> None:
    with running_sandbox(script="") as sandbox:
        sandbox.fault("health", "500")
        ill = settings.having({"suna_api_url": f"{sandbox.url}/v1"})
        found = await complaint(ill, "suna.reachable")
    assert (found.outcome, "answers 500" in found.detail) == (FAILED, True)
    assert "look at Suna" in (found.advice or "")


async def test_the_base_of_suna_is_wrong(settings: Settings, sandbox: RunningSandbox) -> None:
    wrong = settings.having({"suna_api_url": f"{sandbox.url}/v7"})
    found = await complaint(wrong, "suna.reachable")
    assert found.outcome is FAILED
    assert found.advice == "set SUNA_API_URL to the base that ends in /api or /v1"


async def test_the_base_of_suna_has_moved(settings: Settings, scripted: Scripted) -> None:
    scripted.will_answer(308, Location="https://suna.example/v1/health")
    moved = settings.having({"suna_api_url": f"{scripted.url}/v1"})
    found = await complaint(moved, "suna.reachable")
    assert "a redirect to https://suna.example/v1/health" in found.detail


async def test_sunas_key_is_wrong(settings: Settings) -> None:
    wrong = settings.having({"suna_api_key": SecretStr("pk_wrong:sk_hidden")})
    found = await complaint(wrong, "suna.access")
    assert (found.outcome, found.advice) == (FAILED, "check SUNA_API_KEY")
    assert "sk_hidden" not in found.detail


async def test_another_dialect_is_set_than_is_spoken(settings: Settings) -> None:
    found = await complaint(settings.having({"suna_api_dialect": "execute"}), "suna.dialect")
    assert found.outcome is WARNING
    assert found.detail == "SUNA_API_DIALECT is execute, and Suna offers start"


async def test_in_each_users_name_suna_must_know_our_tokens(settings: Settings) -> None:
    forward = settings.having({"suna_auth_mode": "forward"})
    found = await complaint(forward, "suna.access")
    assert (found.outcome, "JWT_SECRET_KEY" in found.detail) == (FAILED, True)
    secret = "the secret that both of them share, as they must"
    with_secret = {"suna_auth_mode": "forward", "jwt_secret_key": SecretStr(secret)}
    found = await complaint(settings.having(with_secret), "suna.access")
    assert (found.outcome, "one Supabase project" in (found.advice or "")) == (FAILED, True)
    with running_sandbox(speed=0.0, jwt_secret=secret) as sandbox:
        urls = {"suna_api_url": f"{sandbox.url}/v1", "supabase_url": sandbox.url}
        seen = await about(settings.having(with_secret | urls), "suna")
    assert seen["suna.access"].outcome is OK


@pytest.mark.parametrize(
    ("off_s", "outcome"), [(0, OK), (-10, WARNING), (10, WARNING), (600, FAILED)]
)
async def test_a_clock_that_is_off(
    settings: Settings, scripted: Scripted, off_s: int, outcome: Outcome
) -> None:
    theirs = datetime.now(UTC) + timedelta(seconds=off_s)
    scripted.will_answer(503, Date=format_datetime(theirs, usegmt=True))
    seen = await about(settings.having({"suna_api_url": scripted.url}), "suna")
    assert seen["suna.clock"].outcome is outcome


# ---- Supabase ------------------------------------------------------------------------------------


async def test_supabase_is_well(settings: Settings, sandbox: RunningSandbox) -> None:
    keys = {"supabase_service_key": SecretStr(sandbox.secret_key)}
    seen = await about(settings.having(keys), "supabase")
    assert {c: f.outcome for c, f in seen.items()} == {
        "supabase.reachable": OK,
        "supabase.clock": OK,
        "supabase.anon_key": OK,
        "supabase.service_key": OK,
        "supabase.jwks": OK,
    }


async def test_supabase_is_away(settings: Settings) -> None:
    seen = await about(settings.having({"supabase_url": nowhere()}), "supabase")
    assert {c: f.outcome for c, f in seen.items()} == {"supabase.reachable": FAILED}


async def test_supabases_url_has_a_path(settings: Settings, sandbox: RunningSandbox) -> None:
    wrong = settings.having({"supabase_url": f"{sandbox.url}/auth/v1"})
    found = await complaint(wrong, "supabase.reachable")
    assert (found.outcome, "without a path" in (found.advice or "")) == (FAILED, True)


async def test_a_key_of_supabase_is_wrong(settings: Settings) -> None:
    wrong = settings.having({"supabase_anon_key": SecretStr("sb_publishable_of_somebody")})
    found = await complaint(wrong, "supabase.anon_key")
    assert (found.outcome, found.detail) == (FAILED, "SUPABASE_ANON_KEY is refused (401)")


async def test_where_the_signing_keys_are_is_wrong(settings: Settings) -> None:
    wrong = settings.having({"supabase_jwks_url": f"{settings.supabase_url}/nowhere.json"})
    found = await complaint(wrong, "supabase.jwks")
    assert (found.outcome, "gives no signing keys" in found.detail) == (FAILED, True)


async def test_a_project_with_a_shared_secret(settings: Settings, scripted: Scripted) -> None:
    scripted.will_answer(200, {"keys": []})
    shared = {"supabase_url": scripted.url, "supabase_jwks_url": f"{scripted.url}/jwks"}
    assert (await complaint(settings.having(shared), "supabase.jwks")).outcome is FAILED
    known = shared | {"jwt_secret_key": SecretStr("a secret of some length, and of many signs")}
    assert (await complaint(settings.having(known), "supabase.jwks")).outcome is WARNING


# ---- Redis and the collector ---------------------------------------------------------------------


async def test_redis_passes_messages_on(settings: Settings, valkey_url: str) -> None:
    seen = await about(settings.having({"redis_url": SecretStr(valkey_url)}), "redis")
    assert seen["redis.reachable"].outcome is OK


async def test_redis_is_away(settings: Settings) -> None:
    url = f"redis://:hidden@127.0.0.1:{a_free_port()}"
    found = await complaint(settings.having({"redis_url": SecretStr(url)}), "redis.reachable")
    assert found.outcome is FAILED
    assert "hidden" not in found.detail


async def test_redis_refuses_the_password(settings: Settings, valkey_url: str) -> None:
    url = valkey_url.replace("redis://", "redis://somebody:hidden@")
    found = await complaint(settings.having({"redis_url": SecretStr(url)}), "redis.reachable")
    assert (found.outcome, "check user and password" in (found.advice or "")) == (FAILED, True)


async def test_the_collector_takes_traces(settings: Settings) -> None:
    with collecting() as collector:
        seen = await about(
            settings.having({"otel_exporter_otlp_endpoint": collector.url}), "traces"
        )
    assert seen["traces.collector"].outcome is OK


@pytest.mark.parametrize(("status", "advice"), [(401, "HEADERS"), (404, "without /v1/traces")])
async def test_the_collector_does_not(
    settings: Settings, scripted: Scripted, status: int, advice: str
) -> None:
    scripted.will_say(status, "no")
    wrong = settings.having({"otel_exporter_otlp_endpoint": scripted.url})
    found = await complaint(wrong, "traces.collector")
    assert (found.outcome, advice in (found.advice or "")) == (FAILED, True)


async def test_the_collector_is_away(settings: Settings) -> None:
    away = settings.having({"otel_exporter_otlp_endpoint": nowhere()})
    assert (await complaint(away, "traces.collector")).outcome is FAILED
