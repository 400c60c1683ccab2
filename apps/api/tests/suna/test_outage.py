"""Suna goes away and comes back: what does not need it works, and executions go on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.endpoints.people import DRAFT, OUTLINE, Person, checked, problem_of, signed_in, until
from tests.serving import serving, settings_for


class Suna:
    """A sandbox that can be switched off and on; what runs in it goes on by the clock."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._stack = ExitStack()
        self.on()

    def on(self) -> None:
        # The port of the last time, which stands in the data directory.
        self.running: RunningSandbox = self._stack.enter_context(
            running_sandbox(self._data_dir, speed=0.0)
        )

    def off(self) -> None:
        self._stack.close()


@pytest.fixture
def suna(tmp_path: Path) -> Iterator[Suna]:
    suna = Suna(tmp_path / "suna")
    yield suna
    suna.off()


@pytest.fixture
def ana(suna: Suna, new_database: Callable[[], str]) -> Iterator[Person]:
    with running_sandbox() as supabase:
        settings = settings_for(supabase, new_database(), suna_api_url=f"{suna.running.url}/v1")
        with serving(settings) as url, signed_in(url, constants.ANA_EMAIL) as client:
            yield Person(client)


def waits_for(ana: Person, execution_id: str) -> list[str]:
    told = checked(ana.http.get(f"executions/{execution_id}/explain"), 200)
    return [wait["waits_for"] for wait in told["waits"]]


def test_executions_outlive_an_outage_and_nothing_else_notices_it(suna: Suna, ana: Person) -> None:
    team = ana.team({"agent_id": OUTLINE}, {"agent_id": DRAFT})
    began = ana.running(team, seconds=1)["execution_id"]
    until(lambda: waits_for(ana, began), lambda waits: waits == ["agent_answer"])
    suna.off()

    late = ana.execute(team)
    assert late["status"] == "running"
    until(lambda: waits_for(ana, late["execution_id"]), lambda waits: waits == ["suna_away"])
    health = checked(ana.http.get(f"{ana.http.base_url.join('/health/services')}"), 200)
    assert health["status"] == "degraded"
    assert health["services"]["suna_backend"]["status"] == "unhealthy"
    assert health["services"]["database"]["status"] == "healthy"
    for path in (
        "teams",
        f"teams/{team['id']}",
        "executions",
        "notifications",
        "auth/me",
        "agents",
    ):
        checked(ana.http.get(path), 200)
    checked(ana.http.post(f"teams/{team['id']}/plan", json={"input_data": {"prompt": "x"}}), 200)
    problem_of(ana.http.get("agents/5a4d0099-0000-4000-8000-000000000001"), 503, "suna_unavailable")
    stopped = ana.execute(team)["execution_id"]
    until(lambda: waits_for(ana, stopped), lambda waits: waits == ["suna_away"])
    checked(ana.cancel(stopped), 200)

    suna.on()
    for execution_id in (began, late["execution_id"]):
        ended = ana.wait(execution_id)
        assert ended["status"] == "completed", ended
        assert [r["attempts"] for r in ended["results"]] == [1, 1]
    assert ana.execution(stopped)["results"][0]["remote_stop"] == "not_needed"
    starts = [(s["agent_id"], s["prompt"]) for s in suna.running.starts()]
    assert len(starts) == len(set(starts)) == 4
