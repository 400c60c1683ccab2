"""The commands but `run` and `watch`, in a pipe."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Renum
from .server import Server
from .world import EMAIL, PASSWORD, Fault, World, agent_id


def test_login_stores_tokens_that_later_commands_use(
    renum: Renum, world: World, config: Path
) -> None:
    done = renum("login", "--email", EMAIL, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Signed in to http://127.0.0.1" in done.stdout
    assert done.stdout.rstrip().endswith("as Ana.")
    (file,) = config.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    assert renum("teams", "list").exit_code == 0
    assert renum("logout").stdout.startswith("Signed out of")
    assert list(config.glob("*.json")) == []
    refused = renum("teams", "list")
    assert refused.exit_code == 4
    assert "you are not signed in" in refused.stderr
    assert "renum login" in refused.stderr


def test_login_says_when_the_password_is_wrong(renum: Renum) -> None:
    refused = renum("login", "--email", EMAIL, "--password-stdin", stdin="no\n")
    assert refused.exit_code == 4
    assert refused.stderr.splitlines() == [
        "renum: The e-mail or the password is wrong.",
        "  Request id: req-1",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--password-stdin"], "needs --email"), ([], "there is no terminal to ask on")],
)
def test_login_without_a_terminal_needs_both(
    renum: Renum, options: list[str], message: str
) -> None:
    refused = renum("login", *options)
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_login_warns_of_a_line_that_others_can_read(renum: Renum) -> None:
    # Port 9 of a name that cannot exist: nothing is sent to anybody.
    refused = renum(
        "--url", "http://renum.invalid:9", "login", "--email", EMAIL, "--password-stdin", stdin="x"
    )
    assert refused.exit_code == 5
    assert "is not https" in refused.stderr
    assert "cannot reach http://renum.invalid:9" in refused.stderr


def test_a_session_that_ended_says_how_to_sign_in(
    signed_in: Renum, server: Server, world: World
) -> None:
    server.call(world.expire)
    world.refreshes.clear()
    ended = signed_in("agents")
    assert ended.exit_code == 4
    assert "renum login" in ended.stderr


def test_a_token_of_the_environment_wins(renum: Renum, server: Server, world: World) -> None:
    token = server.call(world.sign_in)["access_token"]
    assert renum("agents", env={"RENUM_TOKEN": token}).exit_code == 0
    assert renum("agents", env={"RENUM_TOKEN": "x"}).exit_code == 4


def test_agents_are_lines_for_a_pipe_and_json_for_a_script(signed_in: Renum) -> None:
    line = signed_in("agents", "--search", "editor").stdout
    assert line == f"Editor\tEditor.\t{agent_id('Editor')}\n"
    found = json.loads(signed_in("agents", "--json").stdout)["agents"]
    assert [agent["name"] for agent in found][:2] == ["Content Strategist", "Copywriter"]
    nothing = signed_in("agents", "--search", "zzz")
    assert (nothing.stdout, nothing.stderr) == ("", "There is no such agent.\n")


def test_teams_are_listed(signed_in: Renum, server: Server, world: World) -> None:
    assert "make one with" in signed_in("teams", "list").stderr
    team = server.call(world.add_team, "Tab\tteam \x1b[2J")
    line = signed_in("teams", "list").stdout
    assert line == f"Tab team [2J\tsequential\t3\tactive\t{team['id']}\n"
    assert json.loads(signed_in("teams", "list", "--json").stdout)["teams"][0]["id"] == team["id"]


YAML = """
name: Duo
workflow_type: pipeline
agents:
  - agent: Copywriter
    role: leader
  - agent: Editor
    order: 7
"""


def test_a_team_is_made_from_yaml_with_agents_by_name(
    signed_in: Renum, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "team.yaml"
    file.write_text(YAML)
    made = signed_in("teams", "create", "-f", str(file))
    assert made.exit_code == 0
    assert made.stdout == f"Created Duo with 2 agents: {next(iter(world.teams))}\n"
    assert world.bodies[-1]["agents"] == [
        {"agent_id": agent_id("Copywriter"), "order": 1, "role": "leader"},
        {"agent_id": agent_id("Editor"), "order": 7},
    ]


def test_a_team_is_made_from_json_on_stdin_with_agents_by_id(
    signed_in: Renum, world: World
) -> None:
    spec = {"name": "Solo", "workflow_type": "parallel",
            "agents": [{"agent_id": agent_id("Editor")}]}  # fmt: skip
    text = json.dumps(spec, indent="\t")
    made = signed_in("teams", "create", "-f", "-", "--json", stdin=text)
    assert json.loads(made.stdout)["name"] == "Solo"
    assert world.count("GET", "/agents") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agents: [{agent: Copywriterr}]", "no agent named 'Copywriterr'; did you mean 'Copywrit"),
        ("agents: [{agent: zzz}]", "no agent named 'zzz'; there are 'Content Strategist', 'Copy"),
        ("agents: [{agent: Editor, agent_id: x}]", "give one of the two"),
        ("agents: [x]", "`agents` must be a list of agents"),
        ("name: x", "`agents` must be a list of agents"),
        ("- x", "must hold a team"),
        ("a: [", "is not YAML"),
        ("{", "is not JSON"),
    ],
)
def test_a_bad_team_file_says_what_is_wrong(signed_in: Renum, text: str, message: str) -> None:
    refused = signed_in("teams", "create", "-f", "-", stdin=text)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert message in refused.stderr


def test_an_agent_name_that_two_have_is_refused(signed_in: Renum, world: World) -> None:
    world.agents.append({**world.agents[0], "id": "other"})
    refused = signed_in("teams", "create", "-f", "-", stdin="agents: [{agent: Content Strategist}]")
    assert "2 agents are named 'Content Strategist': give agent_id" in refused.stderr
    world.agents.clear()
    refused = signed_in("teams", "create", "-f", "-", stdin="agents: [{agent: Content Strategist}]")
    assert "there are none yet" in refused.stderr


def test_files_that_cannot_be_read_are_named(signed_in: Renum, tmp_path: Path) -> None:
    missing = signed_in("teams", "create", "-f", str(tmp_path / "none.yaml"))
    assert missing.exit_code == 2
    assert "none.yaml: No such file" in missing.stderr
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in signed_in("teams", "create", "-f", str(binary)).stderr


def test_a_refusal_shows_each_field_and_the_request_id(signed_in: Renum) -> None:
    text = json.dumps({"name": "X", "agents": [{"agent_id": "nobody"}]})
    refused = signed_in("teams", "create", "-f", "-", stdin=text)
    assert refused.exit_code == 2
    assert refused.stderr.splitlines() == [
        "renum: 1 field is invalid.",
        "  agents[0].agent_id: No such agent",
        "  Request id: req-1",
    ]


def test_errors_are_json_for_scripts(renum: Renum, signed_in: Renum, world: World) -> None:
    world.faults["GET /agents"].append(Fault.problem(409, "odd", "Odd."))
    failed = signed_in("agents", "--json")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert json.loads(failed.stderr)["error"] == {
        "status": 409, "code": "odd", "detail": "Odd.", "request_id": None,
    }  # fmt: skip
    world.faults["GET /agents"].append(Fault(200, "<html>"))
    assert json.loads(signed_in("agents", "--json").stderr)["error"]["code"] == "unexpected_answer"
    signed_in("logout", "--json")
    assert json.loads(signed_in("agents", "--json").stderr)["error"]["code"] == "not_signed_in"


def test_a_limit_says_when_to_try_again(signed_in: Renum, world: World) -> None:
    limited = Fault.problem(429, "rate_limited", "Too many requests.")
    limited.headers["Retry-After"] = "7"
    world.faults["GET /agents"].append(limited)
    assert "Try again in 7 s." in signed_in("agents").stderr


def test_executions_are_listed_shown_and_cancelled(
    signed_in: Renum, server: Server, world: World
) -> None:
    assert "no such runs" in signed_in("executions", "list").stderr
    team = server.call(world.add_team)
    run_id = server.call(world.start, team)["execution_id"]
    world.until(lambda: world.executions[run_id]["status"] == "completed")

    assert signed_in("executions", "list", "--team", team["name"]).stdout.endswith(f"\t{run_id}\n")
    listed = signed_in("executions", "list", "--status", "failed", "--json").stdout
    assert json.loads(listed)["executions"] == []

    shown = signed_in("executions", "show", run_id).stdout
    assert "3/3 agents" in shown
    assert "--- agent_3 ---\n\n# Editor\n\nText of **Editor**.\n" in shown
    assert (
        json.loads(signed_in("executions", "show", run_id, "--json").stdout)["status"]
        == "completed"
    )

    refused = signed_in("executions", "cancel", run_id)
    assert refused.exit_code == 1
    assert "already completed" in refused.stderr
    world.executions[run_id]["status"] = "running"
    assert signed_in("executions", "cancel", run_id).stdout == f"Cancelled {run_id}.\n"
    assert (
        json.loads(signed_in("executions", "cancel", run_id, "--json").stdout)["status"]
        == "cancelled"
    )


def test_a_wrong_url_is_bad_input(renum: Renum) -> None:
    refused = renum("--url", "ftp://x", "agents")
    assert refused.exit_code == 2
    assert "ftp://x is not an http or https URL" in refused.stderr


def test_a_version_and_a_help_with_exit_codes(renum: Renum) -> None:
    assert renum("--version").stdout.startswith("renum 1.")
    assert "5 server unreachable" in renum("run", "--help").stdout
    assert renum("unknown").exit_code == 2


def test_a_reader_that_leaves_early_is_no_error(
    signed_in: Renum, environment: dict[str, str]
) -> None:
    command = f"{sys.executable} -m renum agents | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode in {0, 1}


def test_a_bug_is_told_in_a_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    # A folder where the tokens should be: an error that nobody foresaw.
    (tmp_path / "file").write_text("")
    broken = {**environment, "RENUM_CONFIG_DIR": str(tmp_path / "file"), "RENUM_TOKEN": ""}
    done = subprocess.run(
        [sys.executable, "-m", "renum", "agents"],
        env=broken, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 70
    assert "Traceback" not in done.stderr
    assert "unexpected error: NotADirectoryError" in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "renum", "agents"],
        env={**broken, "RENUM_DEBUG": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        (["teams", "lst", "--json"], "No such command 'lst'"),
        (["executions", "list", "--limit", "0", "--json"], "Invalid value for '--limit'"),
        (["--url", "ftp://host", "agents", "--json"], "is not an http or https URL"),
        (["agents", "--json"], "not signed in"),
    ],
)
def test_every_error_is_json_for_scripts(
    environment: dict[str, str], arguments: list[str], detail: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "renum", *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {2, 4}
    assert done.stdout == ""
    assert detail in json.loads(done.stderr)["error"]["detail"]


def test_help_is_help_also_for_scripts(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "renum", "agents", "--json", "--help"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout
