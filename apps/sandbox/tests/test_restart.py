"""A sandbox that is started again on the same directory is the same sandbox."""

from pathlib import Path

import httpx2
import jwt
import pytest
from fastapi.testclient import TestClient

from renum_sandbox import constants
from renum_sandbox.app import NotInProduction, create_sandbox
from renum_sandbox.server import NotLoopback, listen, url_of
from renum_sandbox.testing import running_sandbox

PROMPT = "Create a marketing campaign for the new reusable bottle of Aurora Café."
KEY = {"apikey": constants.PUBLISHABLE_KEY}


def grant(url: str, grant_type: str, body: dict) -> httpx2.Response:
    with httpx2.Client(base_url=url, trust_env=False) as http:
        query = {"grant_type": grant_type}
        return http.post("/auth/v1/token", params=query, json=body, headers=KEY)


def test_tokens_survive(tmp_path: Path) -> None:
    credentials = {"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD}
    with running_sandbox(tmp_path) as first:
        session = grant(first.url, "password", credentials).json()
    with running_sandbox(tmp_path) as second:
        assert second.url == first.url  # else the issuer in old tokens would be wrong
        headers = KEY | {"Authorization": f"Bearer {session['access_token']}"}
        with httpx2.Client(base_url=second.url, trust_env=False) as http:
            assert http.get("/auth/v1/user", headers=headers).status_code == 200
        answer = grant(second.url, "refresh_token", {"refresh_token": session["refresh_token"]})
        assert answer.status_code == 200


@pytest.mark.parametrize("base", ["/api", "/a2/api", "/v1"])
def test_runs_go_on_where_the_clock_says(tmp_path: Path, clock, suna_of, stream_text, base) -> None:
    with running_sandbox(tmp_path, speed=1.0, clock=clock) as sandbox:
        suna = suna_of(sandbox, base)
        start = suna.start(PROMPT, constants.DRAFT_AGENT_ID)
        clock.forward(1.0)
        assert suna.run(start)["status"] == "running"
    clock.forward(0.5)
    # Another speed changes new runs only.
    with running_sandbox(tmp_path, speed=100.0, clock=clock) as sandbox:
        suna = suna_of(sandbox, base)
        assert suna.run(start)["status"] == "running"
        clock.forward(2.0)
        assert suna.run(start)["status"] == "completed"
        messages = suna.messages(start, optimized=False)
        assert stream_text(suna.frames(start)) == messages[-1]["content"]["content"]
        assert [s["run_id"] for s in sandbox.starts()] == [start["agent_run_id"]]


def test_a_stopped_run_stays_stopped(tmp_path: Path, suna_of) -> None:
    with running_sandbox(tmp_path) as sandbox:
        suna = suna_of(sandbox)
        start = suna.start(f"{PROMPT} [[sleep=60]]")
        suna.stop(start)
    with running_sandbox(tmp_path) as sandbox:
        assert suna_of(sandbox).run(start)["status"] == "stopped"


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [("forever", 200, "running"), ("404", 404, None), ("billing-stop", 200, "stopped")],
)
def test_broken_runs_stay_broken_and_what_was_planned_is_over(
    tmp_path: Path, suna_of, fault, status, body
) -> None:
    with running_sandbox(tmp_path, script=f"{fault},500@2") as sandbox:
        start = suna_of(sandbox).start(PROMPT)
    with running_sandbox(tmp_path) as sandbox:
        suna = suna_of(sandbox)
        answer = suna.call("status", start)
        assert (answer.status_code, answer.json().get("status")) == (status, body)
        assert [suna.call("start").status_code for _ in range(2)] == [200, 200]


def test_a_taken_port_is_replaced(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0, tmp_path) as first:
        first.listen()
        with listen("127.0.0.1", 0, tmp_path) as second:
            assert url_of(second) != url_of(first)
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", first.getsockname()[1], None)


def test_a_damaged_port_file_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("tea")
    with listen("localhost", 0, tmp_path) as bound:
        assert url_of(bound).startswith("http://127.0.0.1:")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "renum.example"])  # noqa: S104
def test_only_loopback_addresses(host: str) -> None:
    with pytest.raises(NotLoopback, match="loopback addresses only"):
        listen(host, 0, None)


def test_never_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "Production")
    with pytest.raises(NotInProduction):
        create_sandbox()


@pytest.mark.parametrize("wrong", [{"speed": -1.0}, {"access_token_s": -1}, {"slow_s": -1.0}])
def test_negative_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        create_sandbox(**wrong)


def test_a_sandbox_that_cannot_start_says_so(tmp_path: Path) -> None:
    (tmp_path / "sandbox.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(RuntimeError, match="did not start"), running_sandbox(tmp_path):
        pass


def test_another_server_cannot_drop_a_connection() -> None:
    with TestClient(create_sandbox()) as http:
        fault = {"operation": "health", "fault": "drop-answer"}
        assert http.post("/sandbox/faults", json=fault).status_code == 201
        with pytest.raises(RuntimeError, match=r"needs the server of renum_sandbox\.server"):
            http.get("/api/health")


def test_without_a_base_url_the_issuer_is_the_address_of_the_request() -> None:
    with TestClient(create_sandbox(access_token_s=5), base_url="http://127.0.0.1:7000") as http:
        session = http.post(
            "/auth/v1/token?grant_type=password",
            json={"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD},
            headers=KEY,
        ).json()
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    assert claims["iss"] == "http://127.0.0.1:7000/auth/v1"
    assert session["expires_in"] == 5
