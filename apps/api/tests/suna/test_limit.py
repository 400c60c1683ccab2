"""SUNA_MAX_PARALLEL_RUNS, over the whole of Renum."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

from renum_sandbox import constants
from renum_sandbox.testing import running_sandbox
from tests.endpoints.people import DRAFT, OUTLINE, REVIEW, Person, signed_in
from tests.serving import serving, settings_for

WORK = timedelta(seconds=0.2)


def test_agents_that_may_not_work_at_once_work_one_after_the_other(
    new_database: Callable[[], str],
) -> None:
    with running_sandbox() as sandbox:
        settings = settings_for(sandbox, new_database(), suna_max_parallel_runs=1)
        with serving(settings) as url, signed_in(url, constants.ANA_EMAIL) as client:
            ana = Person(client)
            agents = [{"agent_id": a} for a in (OUTLINE, DRAFT, REVIEW)]
            team = ana.team(*agents, workflow_type="parallel")
            prompt = f"Work [[sleep={WORK.total_seconds()}]]"
            executions = [ana.execute(team, prompt)["execution_id"] for _ in range(2)]
            for execution_id in executions:
                ended = ana.wait(execution_id)
                assert ended["status"] == "completed", ended
        times = sorted(datetime.fromisoformat(s["started_at"]) for s in sandbox.starts())
    assert len(times) == 6
    assert all(b - a >= WORK for a, b in pairwise(times))
