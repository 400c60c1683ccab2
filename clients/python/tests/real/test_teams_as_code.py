"""Teams as files, from the command line, at the real server."""

import json
import re
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from clients.python.tests.conftest import Renum

EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"


@pytest.fixture
def name() -> str:
    return f"Team {uuid4()}"


@pytest.fixture
def file(tmp_path: Path, name: str) -> Path:
    file = tmp_path / "team.yaml"
    write(
        file,
        {
            "name": name,
            "description": "2026-11-26",
            "workflow_type": "conditional",
            "agents": [
                {"agent": "Copywriter", "role": "leader"},
                {
                    "agent": "Editor",
                    "key": "edit",
                    "config": {
                        "on_failure": "ignore",
                        "conditions": [
                            {"field": "context.n", "operator": "equals", "value": 1.0},
                            {"field": "context.d", "operator": "exists"},
                        ],
                    },
                },
                {"agent": "Editor", "order": 2},
            ],
        },
    )
    return file


def write(file: Path, *teams: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump_all(teams))


def read(file: Path) -> dict[str, Any]:
    team: dict[str, Any] = yaml.safe_load(file.read_text())
    return team


def applied(cli: Renum, file: Path, *options: str) -> list[dict[str, Any]]:
    done = cli("teams", "apply", "-f", str(file), "--json", *options)
    assert (done.exit_code, done.stderr) == (0, "")
    teams: list[dict[str, Any]] = json.loads(done.stdout)["teams"]
    return teams


def test_a_second_apply_changes_nothing(cli: Renum, file: Path) -> None:
    (made,) = applied(cli, file)
    assert (made["action"], made["version"]) == ("created", 1)
    (same,) = applied(cli, file)
    assert (same["action"], same["version"], same["changes"]) == ("unchanged", 1, [])


def test_a_dry_run_shows_what_apply_then_does(cli: Renum, file: Path, name: str) -> None:
    assert applied(cli, file, "--dry-run")[0]["action"] == "created"
    assert cli("teams", "show", name).exit_code == 2  # it was not
    applied(cli, file)
    team = read(file)
    team["agents"][1]["config"]["on_failure"] = "stop"
    del team["agents"][2], team["description"]
    write(file, team)

    shown = cli("teams", "apply", "-f", str(file), "--dry-run")
    assert shown.stdout.splitlines()[0].startswith(f"{name} would be updated (version 1)")
    assert shown.stdout.splitlines()[1:3] == [
        "  - description: '2026-11-26'",
        "  ~ agents.edit.config.on_failure: 'ignore' -> 'stop'",
    ]
    assert shown.stdout.splitlines()[3].startswith("  - agents.agent_2: ")
    (foreseen,) = applied(cli, file, "--dry-run")
    (done,) = applied(cli, file)
    assert done["changes"] == foreseen["changes"]
    assert (foreseen["version"], done["version"]) == (1, 2)
    assert applied(cli, file)[0]["action"] == "unchanged"


def test_what_is_exported_applies_back_unchanged(
    cli: Renum, file: Path, name: str, tmp_path: Path
) -> None:
    applied(cli, file)
    for example in sorted(EXAMPLES.glob("*.yaml")):
        applied(cli, example)
    for options in ([name], [name, "--pin"], ["--all", "--pin"]):
        exported = cli("teams", "export", *options)
        assert exported.exit_code == 0, exported.stderr
        back = tmp_path / "back.yaml"
        back.write_text(exported.stdout)
        assert {team["action"] for team in applied(cli, back)} == {"unchanged"}


def test_a_stale_version_is_refused_but_for_what_is_there_already(
    cli: Renum, file: Path, name: str, tmp_path: Path
) -> None:
    applied(cli, file)
    pinned = tmp_path / "pinned.yaml"
    pinned.write_text(cli("teams", "export", name, "--pin").stdout)
    write(file, {**read(file), "description": "Somebody else's"})
    applied(cli, file)

    write(pinned, {**read(pinned), "description": "Mine"})
    for options in ([], ["--dry-run"]):
        refused = cli("teams", "apply", "-f", str(pinned), "--json", *options)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert json.loads(refused.stderr)["error"]["code"] == "version_mismatch"
    assert "Somebody else's" in cli("teams", "show", name).stdout
    write(pinned, {**read(pinned), "description": "Somebody else's"})
    assert applied(cli, pinned)[0]["action"] == "unchanged"


def test_nothing_is_made_when_one_of_many_is_wrong(cli: Renum, file: Path, name: str) -> None:
    good = read(file)
    bad = {**good, "name": f"{name} 2", "workflow_type": "circle"}
    write(file, good, bad)
    refused = cli("teams", "apply", "-f", str(file))
    assert refused.exit_code == 2
    assert "workflow_type: " in refused.stderr
    assert cli("teams", "show", name).exit_code == 2
    write(file, good, {**bad, "workflow_type": "conditional", "status": "inactive"})
    assert [team["action"] for team in applied(cli, file)] == ["created", "created"]
    assert ", inactive" in cli("teams", "show", f"{name} 2").stdout
    write(file, good, good)
    twice = cli("teams", "apply", "-f", str(file))
    assert twice.exit_code == 2
    assert "about the same team" in twice.stderr


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"version": "3"}, "version '3' is not a whole number"),
        ({"status": "gone"}, "status 'gone' is none of active, inactive, archived"),
        ({"id": "x"}, "id 'x' is not a UUID"),
        ({"id": str(uuid4())}, "leave `id` out to make one"),
        ({"nmae": "x"}, "nmae: "),
        ({"agents": [{"agent": "Copywritter"}]}, "did you mean 'Copywriter'?"),
    ],
)
def test_a_wrong_file_is_told_where(
    cli: Renum, file: Path, changed: dict[str, Any], told: str
) -> None:
    write(file, {**read(file), **changed})
    refused = cli("teams", "apply", "-f", str(file))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert told in refused.stderr


def test_a_team_is_edited_in_the_persons_editor(
    cli: Renum, file: Path, name: str, tmp_path: Path
) -> None:
    applied(cli, file)
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys, pathlib as p; f = p.Path(sys.argv[1])\n"
        "f.write_text(f.read_text().replace('2026-11-26', 'Edited'))\n"
    )
    env = {"VISUAL": f"{sys.executable} {editor}"}
    done = cli("teams", "edit", name, env=env)
    assert done.exit_code == 0, done.stderr
    assert "  ~ description: '2026-11-26' -> 'Edited'" in done.stdout.splitlines()
    assert "unchanged" in cli("teams", "edit", name, env=env).stdout
    failed = cli("teams", "edit", name, env={"VISUAL": "false"})
    assert (failed.exit_code, failed.stdout) == (2, "")


def test_a_team_is_validated_planned_and_deleted(cli: Renum, file: Path, name: str) -> None:
    valid = cli("teams", "validate", "-f", str(file))
    assert valid.exit_code == 0, valid.stderr
    assert valid.stdout.splitlines()[1].startswith("1\tagent_1\tCopywriter\tinitial_prompt\t-")
    assert cli("teams", "plan", name).exit_code == 2
    applied(cli, file)
    plan = json.loads(cli("teams", "plan", name, "Go", "--context", "n:=1", "--json").stdout)
    assert [step["key"] for step in plan["steps"]] == ["agent_1", "edit", "agent_2"]

    unasked = cli("teams", "delete", name)
    assert unasked.exit_code == 2
    assert "give --yes" in unasked.stderr
    deleted = cli("teams", "delete", name, "--yes", "--json")
    assert re.fullmatch(r'{\s+"id": "[0-9a-f-]+",\s+"deleted": true\s+}\n', deleted.stdout)
    assert cli("teams", "show", name).exit_code == 2
