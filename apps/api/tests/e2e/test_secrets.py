"""No secret reaches a log: a server at its most talkative is used in every way, then searched."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.endpoints.people import OUTLINE, Person, checked, client_of, until
from tests.ports import a_free_port
from tests.receiver import receiving

RENUM_API = str(Path(sys.executable).parent / "renum-api")
JWT_SECRET = "a shared secret that nobody must ever read in a log"
WRONG_PASSWORD = "wrong-password-7f3a9c"
PROMPT = "A prompt that is nobody's business but 4b1d"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@contextmanager
def talkative(sandbox: RunningSandbox, database_url: str, log: Path) -> Iterator[str]:
    """The URL of `renum-api serve` with LOG_LEVEL=DEBUG."""
    port = a_free_port()
    env = {
        **{k: v for k, v in os.environ.items() if k in ("PATH", "COVERAGE_PROCESS_CONFIG")},
        "APP_ENV": "development",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
        "DEBUG": "true",
        "DATABASE_URL": database_url,
        "SUNA_API_URL": f"{sandbox.url}/v1",
        "SUNA_API_KEY": sandbox.suna_api_key,
        "SUPABASE_URL": sandbox.url,
        "SUPABASE_ANON_KEY": sandbox.publishable_key,
        "SUPABASE_SERVICE_KEY": constants.SECRET_KEY,
        "JWT_SECRET_KEY": JWT_SECRET,
        "WS_ALLOW_QUERY_TOKEN": "true",
        "WEBHOOKS_ALLOW_PRIVATE": "true",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [RENUM_API, "serve", "--port", str(port)],
            stdout=out,
            stderr=out,
            env=env,
            cwd=log.parent,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _answers(url), timeout_s=40)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _answers(url: str) -> bool:
    with suppress(httpx2.TransportError):
        return httpx2.get(f"{url}/health", timeout=2, trust_env=False).status_code == 200
    return False


@pytest.mark.slow
def test_no_secret_reaches_the_log(
    sandbox: RunningSandbox, new_database: Callable[[], str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with talkative(sandbox, new_database(), log) as url, receiving() as receiver:
        secrets = use_in_every_way(url, receiver.url)
    text = log.read_text(errors="replace")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert len(lines) > 20
    assert any(str(line.get("route")).endswith("/auth/login") for line in lines)
    secrets |= {
        "SUNA_API_KEY": sandbox.suna_api_key,
        "its secret half": sandbox.suna_api_key.rpartition(":")[2],
        "SUPABASE_SERVICE_KEY": constants.SECRET_KEY,
        "JWT_SECRET_KEY": JWT_SECRET,
        "password": constants.DEMO_PASSWORD,
        "wrong password": WRONG_PASSWORD,
        "prompt": PROMPT,
    }
    found = {name: secret for name, secret in secrets.items() if secret in text}
    assert found == {}


def use_in_every_way(url: str, receiver_url: str) -> dict[str, str]:
    """Everything that carries a secret, well and badly; the secrets by name."""
    secrets: dict[str, str] = {}
    with client_of(url) as http:
        body = {"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD}
        session = checked(http.post("auth/login", json=body), 200)
        token = secrets["access token"] = session["access_token"]
        secrets["signature of the access token"] = token.rpartition(".")[2]
        refresh = secrets["refresh token"] = session["refresh_token"]
        http.post("auth/login", json={**body, "password": WRONG_PASSWORD})
        http.post("auth/login", json={**body, "password": [WRONG_PASSWORD]})
        http.post("auth/login", content=f'{{"password": "{WRONG_PASSWORD}"')
        http.get(f"teams?token={token}")
        http.get(f"nowhere?access_token={token}")
        http.get("teams", headers={"Authorization": f"Bearer {token}x"})
        http.get("teams", headers={"Authorization": f"Basic {_basic(token)}"})
        secrets["basic credentials"] = _basic(token)
        renewed = checked(http.post("auth/refresh", json={"refresh_token": refresh}), 200)
        secrets["second refresh token"] = renewed["refresh_token"]
        http.post("auth/refresh", json={"refresh_token": "bad"})
    with client_of(url, token) as http:
        person = Person(http)
        key = checked(http.post("api-keys", json={"name": "k", "scopes": ["read"]}), 201)["key"]
        secrets["API key"] = key
        http.get("teams", headers={"Authorization": f"Bearer {key}"})
        http.get(f"teams?search={key}")
        http.post("teams", headers={"Authorization": f"Bearer {key}"}, json={})
        webhook = checked(http.post("webhooks", json={"url": receiver_url}), 201)
        secrets["webhook secret"] = webhook["secret"]
        rotated = http.post(f"webhooks/{webhook['id']}/rotate-secret")
        secrets["second webhook secret"] = checked(rotated, 200)["secret"]
        person.wait(person.execute(person.team({"agent_id": OUTLINE}), PROMPT)["execution_id"])
        watch(url, token, key)
        checked(http.post("auth/logout"), 204)
    return secrets


def watch(url: str, token: str, key: str) -> None:
    address = f"{url.replace('http', 'ws')}/api/v1/ws"
    ways: list[tuple[str, dict[str, str]]] = [
        (f"{address}?token={token}", {}),
        (f"{address}?token={token}x", {}),
        (address, {"Authorization": f"Bearer {token}"}),
        (address, {"Authorization": f"Bearer {key}"}),
    ]
    for where, headers in ways:
        with connect(where, additional_headers=headers) as socket, suppress(ConnectionClosed):
            socket.recv(timeout=10)
            socket.send(json.dumps({"type": "authenticate", "data": {"token": token}}))
            socket.send(json.dumps({"type": "authenticate", "token": token}))
            socket.send(f'{{"token": "{token}"')
            socket.recv(timeout=10)
    with (
        connect(address, subprotocols=["renum.v1", f"bearer.{token}"]) as socket,  # type: ignore[list-item]
        suppress(ConnectionClosed),
    ):
        socket.recv(timeout=10)


def _basic(token: str) -> str:
    return base64.b64encode(f"ana:{token}".encode()).decode()
