"""Every endpoint of the published contract, by both clients, at the real server."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from clients.python.tests.conftest import QUICK
from scripts.blocking_client import source

from renum import AsyncClient, Client, Conflict, InvalidRequest, NotFound, Unauthorized
from renum_sandbox.constants import ANA_EMAIL, DEMO_PASSWORD
from tests.receiver import receiving

from .conftest import Application

ROOT = Path(__file__).parents[4]
OPERATIONS = [
    (method.upper(), path)
    for path, item in json.loads((ROOT / "docs/openapi.json").read_text())["paths"].items()
    for method in item
    if method in {"get", "post", "put", "delete", "patch"}
]


def reached(asked: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """The operations of the contract that these requests are; a fixed path is no parameter."""
    found = set()
    for method, path in asked:
        fitting = [
            (verb, template)
            for verb, template in OPERATIONS
            if verb == method and re.fullmatch(re.sub(r"{[a-z_]+}", "[^/]+", template), path)
        ]
        found.add(min(fitting, key=lambda operation: operation[1].count("{")))
    return found


def spec(agent_id: str, name: str | None = None) -> dict[str, Any]:
    return {
        "name": name or f"Team {uuid4()}",
        "workflow_type": "pipeline",
        "agents": [{"agent_id": agent_id, "key": "one"}, {"agent_id": agent_id, "key": "two"}],
    }


def test_every_endpoint_works_and_none_is_missing(application: Application) -> None:
    begin = len(application.wire.asked)
    with Client(application.url, timing=QUICK) as renum:
        assert renum.health().status == "ok"
        assert renum.ready().status == "ready"
        assert "database" in renum.services().services
        assert renum.login(ANA_EMAIL, DEMO_PASSWORD).email == ANA_EMAIL
        assert renum.me().email == ANA_EMAIL
        before = renum.tokens
        assert renum.refresh() != before

        agents = list(renum.agents.all())
        assert renum.agents.get(agents[0].id).name == agents[0].name
        team = _teams(renum, agents[0].id)
        _executions(renum, team)
        _notifications(renum)
        _api_keys(renum, application.url)
        _webhooks(renum)
        renum.teams.delete(team, version=renum.teams.get(team).version)
        with pytest.raises(NotFound):
            renum.teams.get(team)
        renum.logout()
    assert set(OPERATIONS) - reached(application.wire.asked[begin:]) == set()


def _teams(renum: Client, agent_id: str) -> str:
    assert len(renum.teams.validate(spec(agent_id)).steps) == 2
    with pytest.raises(InvalidRequest) as invalid:
        renum.teams.validate({**spec(agent_id), "workflow_type": "circle"})
    assert invalid.value.errors[0].path == "workflow_type"
    team = renum.teams.create(spec(agent_id))
    assert team.id in [one.id for one in renum.teams.all(search=team.name)]
    changed = renum.teams.update(team.id, {"description": "New"}, version=team.version)
    with pytest.raises(Conflict) as stale:
        renum.teams.update(team.id, {"description": "Old"}, version=team.version)
    assert stale.value.code == "version_mismatch"
    with pytest.raises(Conflict):
        renum.teams.delete(team.id, version=team.version)
    versions = list(renum.teams.all_versions(team.id))
    assert [one.version for one in versions] == [changed.version, team.version]
    assert [step.key for step in renum.teams.plan(team.id, "Go").steps] == ["one", "two"]
    return team.id


def _executions(renum: Client, team_id: str) -> None:
    run = renum.teams.execute(team_id, "Sell oat milk", context={"tone": "warm"})
    kinds = [event.type for event in renum.executions.events(run.execution_id)]
    assert kinds.count("agent_completed") == 2  # and it ended by itself
    done = renum.watch(run.execution_id)
    assert done.status == "completed"
    assert renum.executions.result_text(run.execution_id, "two") == done.results[1].output
    lines = [line.seq for line in renum.executions.all_logs(run.execution_id)]
    assert lines == sorted(set(lines))
    assert len(lines) > 2
    assert renum.executions.explain(run.execution_id).status == "completed"
    timeline = renum.executions.timeline(run.execution_id)
    assert timeline.critical_path
    assert [s.state for a in timeline.agents for s in a.spans if s.state == "running"]
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    listed = renum.executions.list(team_id=team_id, created_after=now - hour)
    assert [one.execution_id for one in listed.executions] == [run.execution_id]
    assert renum.executions.list(created_before=now - hour).executions == []
    assert [one.execution_id for one in renum.executions.all(team_id=team_id)] == [run.execution_id]
    with pytest.raises(Conflict):
        renum.executions.retry(run.execution_id)
    with pytest.raises(Conflict):
        renum.executions.cancel(run.execution_id)
    stream = renum.follow(0, types=["team_updated"])
    assert [next(stream).type for _ in range(2)] == ["connected", "team_updated"]


def _notifications(renum: Client) -> None:
    (first, *_) = renum.notifications.all(unread=True)
    assert renum.notifications.mark_read(first.id).read
    renum.notifications.mark_all_read()
    assert renum.notifications.list().unread_count == 0


def _api_keys(renum: Client, url: str) -> None:
    key = renum.api_keys.create(
        "Report", ["read"], expires_at=datetime.now(UTC) + timedelta(days=1)
    )
    with Client(url, api_key=key.key, timing=QUICK) as machine:
        assert machine.teams.list().pagination.total > 0
        assert next(machine.follow()).type == "connected"
        assert next(machine.events()).type == "connected"
    assert key.id in [one.id for one in renum.api_keys.all()]
    renum.api_keys.delete(key.id)
    with Client(url, api_key=key.key, timing=QUICK) as machine, pytest.raises(Unauthorized):
        machine.teams.list()


def _webhooks(renum: Client) -> None:
    with receiving() as receiver:
        hook = renum.webhooks.create(receiver.url, events=["execution.completed"])
        assert renum.webhooks.get(hook.id).url == receiver.url
        assert renum.webhooks.update(hook.id, description="Ours").description == "Ours"
        assert renum.webhooks.rotate_secret(hook.id).secret != hook.secret
        sent = renum.webhooks.test(hook.id)
        assert renum.webhooks.delivery(hook.id, sent.id).body == sent.body
        assert sent.id in [one.id for one in renum.webhooks.deliveries(hook.id).deliveries]
        assert hook.id in [one.id for one in renum.webhooks.all()]
        while renum.webhooks.delivery(hook.id, sent.id).status == "pending":
            pass  # each look is a request; the test's own limit ends it
        assert renum.webhooks.redeliver(hook.id, sent.id).body == sent.body
        renum.webhooks.delete(hook.id)


def test_a_stream_may_outlive_its_blocking_client(application: Application) -> None:
    with Client(application.url, timing=QUICK) as renum:
        renum.login(ANA_EMAIL, DEMO_PASSWORD)
        streams = [renum.follow(), renum.events()]
        assert [next(stream).type for stream in streams] == ["connected", "connected"]
    for stream in streams:
        stream.close()


def test_the_blocking_client_is_made_from_the_async_one() -> None:
    made = ROOT / "clients/python/renum/blocking_resources.py"
    assert made.read_text(encoding="utf-8") == source()


async def test_a_lost_answer_starts_one_run(real: AsyncClient, application: Application) -> None:
    agent = await anext(aiter(real.agents.all()))
    application.wire.lost += [("POST", "/teams"), ("POST", "/execute")]
    team = await real.teams.create(spec(agent.id))
    run = await real.teams.execute(team.id, "Once")
    assert application.wire.lost == []
    found = await real.executions.list(team_id=team.id)
    assert [one.execution_id for one in found.executions] == [run.execution_id]
    assert len([one async for one in real.teams.all(search=team.name)]) == 1


async def test_a_key_of_ones_own_starts_one_run(real: AsyncClient) -> None:
    agent = await anext(aiter(real.agents.all()))
    team = await real.teams.create(spec(agent.id))
    key = uuid4().hex
    first = await real.teams.execute(team.id, "Once", idempotency_key=key)
    again = await real.teams.execute(team.id, "Once", idempotency_key=key)
    assert first.execution_id == again.execution_id
    with pytest.raises(InvalidRequest) as other:
        await real.teams.execute(team.id, "Twice", idempotency_key=key)
    assert other.value.code == "idempotency_key_reused"
