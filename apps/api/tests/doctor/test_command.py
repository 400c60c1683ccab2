"""`renum-api doctor` as a process: what it prints, and how it ends."""

import json
import re
import subprocess
from pathlib import Path

from app.core.settings import Settings
from app.doctor import examine
from renum_sandbox.testing import RunningSandbox
from tests.serving import serving
from tests.tracing.collector import collecting
from tests.unit.test_cli import run


def doctor(
    folder: Path, settings: Settings, *arguments: str, **changes: str
) -> subprocess.CompletedProcess[str]:
    values = {
        "APP_ENV": "development",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "SUNA_API_URL": settings.suna_api_url,
        "SUNA_API_KEY": settings.suna_api_key.get_secret_value(),
        "SUPABASE_URL": settings.supabase_url,
        "SUPABASE_ANON_KEY": settings.supabase_anon_key.get_secret_value(),
    }
    return run(folder, "doctor", *arguments, **(values | changes))


def test_everything_is_well(tmp_path: Path, settings: Settings, valkey_url: str) -> None:
    with serving(settings), collecting() as collector:
        more = {"REDIS_URL": valkey_url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        said = doctor(tmp_path, settings, "--json", **more)
    assert (said.returncode, said.stderr) == (0, "")
    document = json.loads(said.stdout)
    assert document["status"] == "ok"
    assert {(f["outcome"], f["advice"]) for f in document["findings"]} == {("ok", None)}
    assert {f["check"] for f in document["findings"]} == {
        "settings.values",
        *(f"database.{name}" for name in ("reachable", "clock", "migrations", "rights", "listen")),
        "queue.workers",
        "redis.reachable",
        *(f"suna.{name}" for name in ("reachable", "clock", "dialect", "access")),
        *(f"supabase.{name}" for name in ("reachable", "clock", "anon_key", "jwks")),
        "traces.collector",
    }


def test_what_is_ill_is_said_with_what_to_do_and_without_secrets(
    tmp_path: Path, settings: Settings, sandbox: RunningSandbox
) -> None:
    said = doctor(tmp_path, settings, SUNA_API_KEY="pk_wrong:sk_hidden", JWT_SECRET_KEY="shorty")
    assert said.returncode == 1
    lines = said.stdout.splitlines()
    [access] = [n for n, line in enumerate(lines) if line.split()[:2] == ["failed", "suna.access"]]
    assert lines[access + 1].strip() == "-> check SUNA_API_KEY"
    assert lines[-1] == "2 failed, 1 warnings, 12 ok"
    for secret in ("sk_hidden", "shorty", sandbox.publishable_key):
        assert secret not in said.stdout + said.stderr


def test_warnings_are_no_failure(tmp_path: Path, settings: Settings) -> None:
    said = doctor(tmp_path, settings, "--json")
    assert said.returncode == 0
    assert json.loads(said.stdout)["status"] == "warning"


def test_values_that_cannot_be_read(tmp_path: Path, settings: Settings) -> None:
    said = doctor(tmp_path, settings, "--json", DATABASE_POOL_SIZE="0", CORS_ORIGINS="[")
    assert said.returncode == 1
    found = json.loads(said.stdout)["findings"]
    assert {f["detail"].split(":")[0] for f in found} == {"DATABASE_POOL_SIZE", "CORS_ORIGINS"}


def test_every_check_is_explained() -> None:
    app = Path(examine.__file__).parent
    parts = "settings|secrets|database|queue|redis|suna|supabase|traces"
    in_code = {
        name
        for source in app.glob("*.py")
        for name in re.findall(rf'"((?:{parts})\.[a-z_]+)"', source.read_text())
    }
    # One is put together of the name of the key.
    in_code |= {"supabase.anon_key", "supabase.service_key"}
    page = (Path(__file__).parents[4] / "docs/operations/doctor.md").read_text()
    assert set(re.findall(rf"^\| `((?:{parts})\.[a-z_]+)` \|", page, re.MULTILINE)) == in_code
