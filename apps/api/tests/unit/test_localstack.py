"""The development stack: what is missing is brought, what is set is left alone."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import psycopg
import pytest
from pydantic import SecretStr

from app.core.settings import ConfigurationError, Settings
from app.localstack import development_stack

pytestmark = pytest.mark.slow

DATABASE = SecretStr("postgresql://db.example/renum")


@pytest.fixture
def server_of_others() -> Iterator[int]:
    """The port of a server that answers everything with its own JSON."""

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"info": {"title": "Something else"}}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def asked(folder: Path, **values: object) -> Settings:
    return Settings.model_construct(app_env="development", data_dir=folder, **values)


def health_of(settings: Settings) -> str:
    key = {"apikey": settings.supabase_anon_key.get_secret_value()}
    return str(httpx2.get(f"{settings.auth_url}/health", headers=key).json()["version"])


def test_everything_is_brought_and_shared(folder: Path) -> None:
    with development_stack(asked(folder), speed=0) as settings:
        settings.check()
        assert settings.cors_origins == ("http://localhost:3000",)
        assert settings.suna_api_url == f"{settings.supabase_url}/v1"
        assert health_of(settings).startswith("renum-sandbox")
        psycopg.connect(settings.database_url.get_secret_value()).close()
        # As `renum-api worker` does beside `renum-api dev`.
        with development_stack(asked(folder)) as shared:
            assert shared == settings
        assert health_of(settings)
    with pytest.raises(httpx2.ConnectError):
        health_of(settings)


def test_addresses_stay_after_a_restart(folder: Path) -> None:
    with development_stack(asked(folder, database_url=DATABASE)) as first:
        pass
    with development_stack(asked(folder, database_url=DATABASE)) as second:
        assert second == first


def test_what_is_set_is_left_alone(folder: Path) -> None:
    everything = asked(
        folder,
        database_url=DATABASE,
        suna_api_url="https://suna.example/api",
        supabase_url="https://ref.supabase.example",
        cors_origins=("https://app.example",),
        webhooks_allow_private=False,
    )
    with development_stack(everything) as settings:
        assert settings == everything
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("own", "filled"),
    [
        ({"suna_api_url": "https://suna.example/api"}, "supabase_url"),
        ({"supabase_url": "https://ref.supabase.example"}, "suna_api_url"),
    ],
)
def test_only_the_missing_half_is_the_sandbox(
    folder: Path, own: dict[str, str], filled: str
) -> None:
    with development_stack(asked(folder, database_url=DATABASE, **own)) as settings:
        for name, value in own.items():
            assert getattr(settings, name) == value
        assert getattr(settings, filled).startswith("http://127.0.0.1:")


def test_somebody_else_on_the_remembered_port(folder: Path, server_of_others: int) -> None:
    (folder / "sandbox").mkdir()
    (folder / "sandbox" / "port").write_text(str(server_of_others))
    with development_stack(asked(folder, database_url=DATABASE)) as settings:
        assert not settings.supabase_url.endswith(f":{server_of_others}")


def test_a_sandbox_that_does_not_start_is_a_setting_to_mend(folder: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="the sandbox did not start"),
        development_stack(asked(folder, database_url=DATABASE), speed=-1),
    ):
        pass
