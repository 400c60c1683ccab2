"""What a person does every day, at the real server."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from clients.python.tests.conftest import Renum

from tests.receiver import receiving

from .conftest import Application


@pytest.fixture
def team(cli: Renum, tmp_path: Path) -> str:
    name = f"Team {uuid4()}"
    file = tmp_path / "team.json"
    agents = [{"agent": "Copywriter"}, {"agent": "Editor"}]
    file.write_text(json.dumps({"name": name, "workflow_type": "pipeline", "agents": agents}))
    done = cli("teams", "create", "-f", str(file))
    assert done.exit_code == 0, done.stderr
    return name


def execution_of(cli: Renum, *arguments: str) -> str:
    done = cli(*arguments, "--json")
    assert done.stdout, done.stderr
    execution_id: str = json.loads(done.stdout)["execution_id"]
    return execution_id


def test_a_run_is_read_in_every_way(cli: Renum, team: str) -> None:
    run = cli("run", team, "Sell oat milk")
    assert run.exit_code == 0, run.stderr
    assert run.stdout.strip()
    assert "completed in" in run.stderr
    listed = cli("executions", "list", "--team", team).stdout.split("\t")
    assert listed[1:3] == ["completed", team]
    execution_id = listed[3].strip()
    assert "completed" in cli("executions", "show", execution_id).stdout
    lines = cli("executions", "logs", execution_id).stdout.splitlines()
    logs = json.loads(cli("executions", "logs", execution_id, "--json").stdout)["logs"]
    assert len(lines) == len(logs) > 2
    last = str(logs[-2]["seq"])
    assert len(cli("executions", "logs", execution_id, "--after", last).stdout.splitlines()) == 1
    assert cli("executions", "explain", execution_id).stdout.startswith("completed: ")
    timeline = cli("executions", "timeline", execution_id)
    assert timeline.stderr.startswith("completed: ")
    told = json.loads(cli("executions", "timeline", execution_id, "--json").stdout)
    agents = [line.split("\t") for line in timeline.stdout.splitlines()]
    assert [a[0] for a in agents] == [a["agent_name"] for a in told["agents"]]
    assert {(a[1], a[2], a[6]) for a in agents} == {("completed", "1", "critical")}
    assert cli("watch", execution_id, "--json").exit_code == 0
    refused = cli("executions", "retry", execution_id, "--json")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert json.loads(refused.stderr)["error"]["status"] == 409


def test_a_failed_run_is_retried(cli: Renum, team: str, application: Application) -> None:
    application.sandbox.fault("start", "fail-run")
    failed = cli("run", team, "Sell", "--no-retry")
    assert failed.exit_code == 1, failed.stderr
    assert "failed in" in failed.stderr
    execution_id = json.loads(cli("executions", "list", "--team", team, "--json").stdout)
    (first,) = execution_id["executions"]
    again = execution_of(cli, "executions", "retry", first["execution_id"])
    assert again != first["execution_id"]
    assert cli("watch", again).exit_code == 0


def test_the_same_key_starts_one_run(cli: Renum, team: str) -> None:
    arguments = ("run", team, "Once", "--detach", "--idempotency-key", uuid4().hex)
    first = execution_of(cli, *arguments)
    assert execution_of(cli, *arguments) == first
    assert cli("watch", first).exit_code == 0


def test_notifications_are_listed_and_read(cli: Renum, team: str) -> None:
    cli("run", team, "Tell me")
    found = json.loads(cli("notifications", "list", "--unread", "--json").stdout)
    newest = found["notifications"][0]["id"]
    assert cli("notifications", "list").stdout.startswith("*\t")
    assert cli("notifications", "read", newest).stdout == f"Marked {newest} as read.\n"
    assert cli("notifications", "read").exit_code == 2
    assert cli("notifications", "read", "--all").exit_code == 0
    assert "no such notifications" in cli("notifications", "list", "--unread").stderr


def test_a_machine_works_with_a_key(cli: Renum, renum: Renum, team: str, config: Path) -> None:
    made = cli("api-keys", "create", "Nightly", "--scope", "execute", "--days", "1")
    assert made.exit_code == 0, made.stderr
    key = made.stdout.strip()
    assert "not shown again" in made.stderr
    assert key not in cli("api-keys", "list").stdout
    machine = {"RENUM_API_KEY": key, "RENUM_TOKEN": "x", "RENUM_CONFIG_DIR": str(config / "no")}
    listed = json.loads(cli("api-keys", "list", "--json").stdout)["api_keys"]
    (key_id,) = [one["id"] for one in listed if key.startswith(one["prefix"])]
    refused = renum("api-keys", "list", env=machine)
    assert refused.exit_code == 4
    assert "renum login" not in refused.stderr
    assert cli("api-keys", "delete", key_id).exit_code == 0
    ended = renum("teams", "list", env=machine)
    assert ended.exit_code == 4
    assert "RENUM_API_KEY" in ended.stderr


def test_a_webhook_is_told_and_its_deliveries_are_read(cli: Renum, team: str) -> None:
    with receiving() as receiver:
        made = cli("webhooks", "create", receiver.url, "--event", "execution.completed")
        assert made.exit_code == 0, made.stderr
        assert "not shown again" in made.stderr
        (url, state, events, _, hook) = cli("webhooks", "list").stdout.strip().split("\t")
        assert (url, state, events) == (receiver.url, "enabled", "execution.completed")
        assert cli("run", team, "Tell them").exit_code == 0
        sent = delivered(cli, hook, messages=1)
        receiver.got[0].verified(made.stdout.strip())
        assert cli("webhooks", "redeliver", hook, sent).stdout == f"{sent}\n"
        trial = json.loads(cli("webhooks", "test", hook, "--json").stdout)
        assert delivered(cli, hook, messages=2) == trial["id"]
        assert {json.loads(got.body)["type"] for got in receiver.got[1:]} == {
            "execution.completed",
            "webhook.test",
        }
        rotated = cli("webhooks", "rotate-secret", hook).stdout
        assert rotated.startswith("whsec_")
        assert rotated != made.stdout
        off = cli("webhooks", "update", hook, "--disable", "--event", "execution.failed")
        assert off.stdout.endswith("disabled (owner), told of execution.failed.\n")
        assert cli("webhooks", "delete", hook).stdout == f"Deleted {hook}.\n"
        gone = cli("webhooks", "deliveries", hook)
        assert (gone.exit_code, hook in gone.stderr) == (2, True)


def delivered(cli: Renum, hook: str, *, messages: int) -> str:
    """The id of the newest message, once all have been accepted."""
    rows: list[list[str]] = []
    while len(rows) < messages or any(row[2] != "delivered" for row in rows):
        lines = cli("webhooks", "deliveries", hook).stdout.splitlines()
        rows = [line.split("\t") for line in lines]
    assert {row[3] for row in rows} == {"204"}
    return rows[0][4]
