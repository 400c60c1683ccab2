"""`renum-api worker --port`: a process that runs executions and tells how it is, nothing else."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from renum_sandbox import constants
from renum_sandbox.testing import running_sandbox
from tests.endpoints.people import OUTLINE, Person, signed_in
from tests.samples import Samples
from tests.serving import serving, settings_for
from tests.unit.test_cli import ended_by, run, started, url_of

ENDED = "renum_execution_duration_seconds_count"
COMPLETED = {"status": "completed"}


@pytest.mark.slow
def test_a_worker_answers_for_itself(tmp_path: Path, new_database: Callable[[], str]) -> None:
    with running_sandbox(speed=0.0) as sandbox:
        settings = settings_for(sandbox, new_database())
        values = {
            "APP_ENV": "development",
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "SUNA_API_URL": settings.suna_api_url,
            "SUNA_API_KEY": settings.suna_api_key.get_secret_value(),
            "SUPABASE_URL": settings.supabase_url,
            "SUPABASE_ANON_KEY": settings.supabase_anon_key.get_secret_value(),
        }
        with (
            serving(settings, worker=False) as api,
            started(tmp_path, "worker", "--port", "0", **values) as process,
            httpx2.Client(base_url=url_of(process), trust_env=False) as worker,
        ):
            assert worker.get("/health").json()["status"] == "ok"
            assert worker.get("/health/ready").json() == {"status": "ready"}
            for path in ("/api/v1/teams", "/docs", "/openapi.json"):
                assert worker.get(path).status_code == 404, path
            with signed_in(api, constants.ANA_EMAIL) as http:
                ana = Person(http)
                execution = ana.wait(ana.execute(ana.team({"agent_id": OUTLINE}))["execution_id"])
            assert execution["status"] == "completed"
            # Who stored the end has counted it, and nobody else.
            driven = Samples(worker.get("/metrics").text)
            asked = Samples(httpx2.get(f"{api}/metrics", trust_env=False).text)
            assert driven.value(ENDED, **COMPLETED) == 1
            assert asked.value(ENDED, **COMPLETED) == 0
            # What the database knows, both tell.
            assert driven.value("renum_workers") == asked.value("renum_workers") == 3
            _, errors = ended_by(process, signal.SIGTERM)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert not [line for line in lines if line["level"] in ("error", "critical")]


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with running_sandbox() as sandbox:
        port = sandbox.url.rpartition(":")[2]
        said = run(tmp_path, "worker", "--port", port, APP_ENV="development")
    assert said.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in said.stderr
