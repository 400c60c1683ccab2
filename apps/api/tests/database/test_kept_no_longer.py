"""What a client is told of what was there, and is kept no longer."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.infra.db.database import PostgresDatabase, create_pool
from app.usecases.retention import Kept, prune_ended
from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import OUTLINE, Person, checked, problem_of, signed_in
from tests.serving import serving, settings_for


async def prune(url: str, kept: Kept) -> None:
    """As if eight days had passed."""
    async with create_pool(url, size=1) as pool:
        await prune_ended(
            PostgresDatabase(pool), kept, now=datetime.now(UTC) + timedelta(days=8, minutes=1)
        )


def test_it_is_410_or_404(sandbox: RunningSandbox, new_database: Callable[[], str]) -> None:
    database, week = new_database(), timedelta(days=7)
    with (
        serving(settings_for(sandbox, database)) as url,
        signed_in(url, constants.ANA_EMAIL) as http,
    ):
        ana = Person(http)
        team = ana.team({"agent_id": OUTLINE})
        done = ana.wait(ana.execute(team)["execution_id"])
        path = f"executions/{done['execution_id']}"
        assert checked(http.get(f"{path}/logs"), 200)["logs"]

        asyncio.run(prune(database, Kept(events=week, logs=week)))
        problem_of(http.get(f"{path}/logs"), 410, "logs_expired")
        now = ana.execution(done["execution_id"])
        assert (now["logs"], now["logs_truncated"]) == ([], True)
        assert now["results"] == done["results"]
        assert checked(http.get("notifications"), 200)["notifications"]

        asyncio.run(prune(database, Kept(events=week, executions=week)))
        for missing in ("", "/logs", "/events", "/explain", "/results/agent_1/output"):
            problem_of(http.get(path + missing), 404, "execution_not_found")
        problem_of(http.post(f"{path}/retry"), 404, "execution_not_found")
        problem_of(ana.cancel(done["execution_id"]), 404, "execution_not_found")
        assert checked(http.get("executions"), 200)["executions"] == []
        assert checked(http.get("notifications"), 200)["notifications"] == []
        assert ana.wait(ana.execute(team)["execution_id"])["status"] == "completed"
