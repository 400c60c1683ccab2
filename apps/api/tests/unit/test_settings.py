"""Settings: where values come from, and what is good enough to start with."""

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from app.core.settings import ConfigurationError, Settings

ENV_EXAMPLE = Path(__file__).parents[4] / ".env.example"
ALIASES = {"SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"}

GOOD = {
    "database_url": "postgresql://renum:hunter2@db.example:5432/renum",
    "suna_api_url": "https://suna.example/api",
    "suna_api_key": "pk_a:sk_b",
    "supabase_url": "https://ref.supabase.example",
    "supabase_anon_key": "sb_publishable_abc",
}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither by the shell that runs the tests, nor by a `.env` beside it."""
    for name in {n.upper() for n in Settings.model_fields} | ALIASES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def problems(**values: object) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{**GOOD, **values}).check()
    return caught.value.problems


def test_production_names_everything_that_is_missing_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings().check()
    assert [p.split()[0] for p in caught.value.problems] == [name.upper() for name in GOOD]
    assert all("set it to" in p for p in caught.value.problems)


def test_what_is_required_is_enough() -> None:
    Settings(**GOOD).check()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"jwt_secret_key": "x" * 31}, "JWT_SECRET_KEY is weak"),
        ({"cors_origins": ("*",)}, "CORS_ORIGINS must name its origins"),
        ({"suna_api_url": "http://suna.internal.example/api"}, "SUNA_API_URL is plain http"),
        ({"supabase_url": "http://10.0.0.7:8000"}, "SUPABASE_URL is plain http"),
        ({"supabase_jwks_url": "http://keys.example/jwks"}, "SUPABASE_JWKS_URL is plain http"),
        ({"suna_api_key": "pk_renumsandbox00:sk_renumsandbox00"}, "SUNA_API_KEY is a key of the"),
        ({"supabase_anon_key": "sb_publishable_renum_sandbox"}, "SUPABASE_ANON_KEY is a key of"),
        ({"supabase_service_key": "sb_secret_renum_sandbox"}, "SUPABASE_SERVICE_KEY is a key of"),
        ({"database_url": "mysql://db.example/renum"}, "DATABASE_URL must start with postgresql"),
        ({"execution_retention_days": 6}, "EXECUTION_RETENTION_DAYS is 6: it must not be below"),
        ({"redis_url": "localhost:6379"}, "REDIS_URL must start with redis:// or rediss://"),
        ({"database_url": "postgresql://a:b@p.example:6543/x"}, "DATABASE_DIRECT_URL is missing"),
    ],
)
def test_weak_and_unsafe_values_are_refused(values: dict[str, object], said: str) -> None:
    (problem,) = problems(**values)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    "values",
    [
        {"suna_api_url": "http://127.0.0.1:9000/v1"},
        {"suna_api_url": "http://[::1]:9000/v1"},
        {"suna_api_url": "http://localhost:9000/v1"},
        {"suna_api_url": "http://suna.internal.example/api", "suna_allow_insecure": True},
        {"jwt_secret_key": "x" * 32},
        {
            "database_url": "postgresql://a:b@p.example:6543/x",
            "database_direct_url": "postgresql://a:b@p.example:5432/x",
        },
        {"database_url": "postgresql://a:b@one.example:1,two.example:2/x"},
    ],
)
def test_what_is_safe_is_accepted(values: dict[str, object]) -> None:
    Settings(**{**GOOD, **values}).check()


def test_development_may_use_the_sandbox_and_any_origin() -> None:
    Settings(
        **GOOD | {"supabase_anon_key": "sb_publishable_renum_sandbox"},
        app_env="development",
        cors_origins=("*",),
    ).check()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('["http://a.example", "http://b.example"]', ("http://a.example", "http://b.example")),
        ("http://a.example, http://b.example,", ("http://a.example", "http://b.example")),
        ("", ()),
    ],
)
def test_lists_are_json_or_comma_separated(
    monkeypatch: pytest.MonkeyPatch, written: str, read: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", written)
    assert Settings.load().cors_origins == read


def test_networks_and_newer_key_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8,::1")
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_x")
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_x")
    settings = Settings.load()
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.supabase_anon_key.get_secret_value() == "sb_publishable_x"
    assert settings.supabase_service_key.get_secret_value() == "sb_secret_x"


def test_bad_values_are_listed_together_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "hunter2")
    monkeypatch.setenv("API_PREFIX", "api/v1")
    monkeypatch.setenv("SUNA_API_URL", "hunter2.example")
    monkeypatch.setenv("CORS_ORIGINS", "[hunter2")
    monkeypatch.setenv("JWT_ALGORITHM", "none")
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert [p.split(":")[0] for p in caught.value.problems] == [
        "APP_ENV",
        "API_PREFIX",
        "CORS_ORIGINS",
        "SUNA_API_URL",
        "JWT_ALGORITHM",
    ]
    assert (
        caught.value.problems[1] == "API_PREFIX: must start with / and not end with it, as /api/v1"
    )
    assert "hunter2" not in str(caught.value)


def test_addresses_follow_from_the_project() -> None:
    settings = Settings(**GOOD | {"supabase_url": "https://ref.supabase.example/"})
    assert settings.issuer == "https://ref.supabase.example/auth/v1"
    assert settings.jwks_url == "https://ref.supabase.example/auth/v1/.well-known/jwks.json"
    own = Settings(**GOOD, jwt_issuer="https://id.example", supabase_jwks_url="https://k.example/j")
    assert (own.issuer, own.jwks_url) == ("https://id.example", "https://k.example/j")


def test_listening_uses_the_direct_address_when_there_is_one() -> None:
    assert Settings(**GOOD).direct_url.get_secret_value() == GOOD["database_url"]
    direct = Settings(**GOOD, database_direct_url="postgresql://direct.example/x")
    assert direct.direct_url.get_secret_value() == "postgresql://direct.example/x"


@pytest.mark.parametrize(
    ("values", "level", "for_people"),
    [
        ({}, "INFO", False),
        ({"debug": True}, "DEBUG", False),
        ({"debug": True, "log_level": "WARNING"}, "WARNING", False),
        ({"app_env": "development"}, "INFO", True),
        ({"app_env": "development", "log_format": "json"}, "INFO", False),
        ({"log_format": "console"}, "INFO", True),
    ],
)
def test_logs_as_asked_else_as_fits(
    values: dict[str, object], level: str, for_people: bool
) -> None:
    settings = Settings(**values)
    assert (settings.effective_log_level, settings.logs_for_people) == (level, for_people)


def test_secrets_do_not_show() -> None:
    shown = repr(Settings(**GOOD, jwt_secret_key="hunter2" * 5))
    assert "hunter2" not in shown
    assert "sk_b" not in shown


def test_the_example_lists_every_setting_and_no_other() -> None:
    lines = ENV_EXAMPLE.read_text().splitlines()
    named = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert named == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", ["README.md", "README.pt-BR.md"])
def test_the_readme_explains_every_setting_and_no_other(name: str) -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \|", (ENV_EXAMPLE.parent / name).read_text(), re.MULTILINE)
    named = [setting for row in rows for setting in re.findall(r"`([A-Z_]+)`", row)]
    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(ENV_EXAMPLE.read_text())
    assert Settings.load() == Settings(_env_file=None, cors_origins=("http://localhost:3000",))
