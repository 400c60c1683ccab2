"""`renum run` and `renum watch`, in a pipe."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from renum import Timing

from .conftest import Renum
from .server import Server
from .world import AGENTS, Fault, Run, World, fail, idle


@pytest.fixture
def team(server: Server, world: World) -> dict:
    return server.call(world.add_team)


def test_a_run_prints_its_texts_and_tells_each_change(
    signed_in: Renum, world: World, team: dict
) -> None:
    done = signed_in("run", "Marketing Team", "Launch it")
    assert done.exit_code == 0
    assert done.stdout == "\n".join(
        f"--- {name} ---\n\n# {name}\n\nText of **{name}**.\n" for name in AGENTS[:3]
    )
    *changes, summary = [line.partition("] ")[2] or line for line in done.stderr.splitlines()]
    run_id = next(iter(world.executions))
    assert summary.startswith("completed in ")
    assert summary.endswith(f", 3 of 3 agents completed. Execution {run_id}")
    # What the run did before we watched is told at once, as it stands then.
    assert [line for line in changes if "completed" in line] == [
        f"{name}: completed after 1.5s" for name in AGENTS[:3]
    ]


def test_a_run_sends_what_was_asked_for(
    signed_in: Renum, world: World, team: dict, tmp_path: Path
) -> None:
    file = tmp_path / "context.json"
    file.write_text('{"product": "X", "market": "BR"}')
    done = signed_in(
        "run", team["id"], "-", "--context", "product=Y=Z", "--context", "budget:=5",
        "--context-file", str(file), "--timeout-minutes", "9", "--parallel-limit", "2",
        "--no-retry", "--detach", stdin="Launch\nit",
    )  # fmt: skip
    assert done.exit_code == 0
    assert done.stdout.strip() in world.executions
    assert f"renum watch {done.stdout.strip()}" in done.stderr
    body = next(body for body in world.bodies if body and "input_data" in body)
    assert body == {
        "input_data": {
            "prompt": "Launch\nit",
            "context": {"product": "Y=Z", "market": "BR", "budget": 5},
        },
        "execution_config": {"timeout_minutes": 9, "parallel_limit": 2, "retry_failed": False},
    }


def test_a_parallel_run_prints_every_text_or_the_coordinators(
    signed_in: Renum, server: Server, world: World
) -> None:
    team = server.call(world.add_team, "Side by side", workflow_type="parallel")
    done = signed_in("run", "Side by side", "Go")
    assert done.stdout.count("--- ") == 3
    world.teams[team["id"]]["agents"][1]["role"] = "coordinator"
    done = signed_in("run", "Side by side", "Go")
    assert done.stdout == "# Copywriter\n\nText of **Copywriter**.\n"


def test_a_run_as_json_prints_the_final_snapshot_alone(signed_in: Renum, team: dict) -> None:
    done = signed_in("run", "Marketing Team", "Go", "--json")
    assert done.stderr == ""
    execution = json.loads(done.stdout)
    assert (execution["status"], len(execution["results"])) == ("completed", 3)
    started = json.loads(signed_in("run", "Marketing Team", "Go", "--json", "--detach").stdout)
    assert started["team_id"] == team["id"]


def test_events_are_lines_of_json_and_the_last_is_the_result(
    signed_in: Renum, server: Server, world: World, team: dict
) -> None:
    async def play(run: Run) -> None:
        while not world.sockets:
            await asyncio.sleep(0.001)
        run.say("agent_1", "Hello", 0)
        run.update("completed")

    world.play = play
    done = signed_in("run", "Marketing Team", "Go", "--events")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["type"] for line in lines][-1] == "execution"
    assert lines[-1]["data"]["status"] == "completed"
    assert all("execution_id" in line["data"] for line in lines)


def test_a_failed_run_says_why_and_exits_1(signed_in: Renum, world: World, team: dict) -> None:
    world.play = fail
    done = signed_in("run", "Marketing Team", "Go")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Content Strategist: failed after 1.5s: out of credits" in done.stderr
    assert "Copywriter: skipped" in done.stderr
    assert "Agent 1: out of credits (agent_failed). Execution" in done.stderr


def test_a_cancelled_run_exits_3(signed_in: Renum, world: World, team: dict) -> None:
    async def play(run: Run) -> None:
        run.begin("agent_1")
        run.update("cancelled")

    world.play = play
    assert signed_in("run", "Marketing Team", "Go").exit_code == 3


def test_a_queued_run_tells_its_place(
    signed_in: Renum, server: Server, world: World, team: dict
) -> None:
    async def play(run: Run) -> None:
        run.row.update(status="pending", queue_position=2)
        while world.count("GET", f"/executions/{run.id}") < 2:
            await asyncio.sleep(0.001)
        run.row["queue_position"] = None
        run.begin("agent_1", attempt=2)
        run.update("running")
        for key in run.keys:
            run.finish(key, "x")
        run.update("completed")

    world.play = play
    done = signed_in("run", "Marketing Team", "Go")
    assert done.exit_code == 0
    assert "queued, number 2 in line" in done.stderr
    assert "Content Strategist: started, attempt 2" in done.stderr


def test_a_lost_connection_is_told_once(
    signed_in: Renum, server: Server, world: World, team: dict
) -> None:
    async def play(run: Run) -> None:
        while not world.sockets:
            await asyncio.sleep(0.001)
        world.drop()
        while len(world.past_sockets) < 2:
            await asyncio.sleep(0.001)
        run.update("completed")

    world.play = play
    done = signed_in("run", "Marketing Team", "Go")
    assert done.exit_code == 0
    assert done.stderr.count("no live connection, trying again; the run goes on") == 1
    assert done.stderr.count("connected again") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Marketing team", "Go"], "no team named 'Marketing team'; did you mean 'Marketing Team'"),
        (["00000000-0000-4000-8000-000000000000", "Go"], "there is no team with the id 0000"),
        (["Marketing Team", "  "], "the prompt is empty"),
        (["Marketing Team", "Go", "--context", "x"], "write key=text, or key:=json"),
        (["Marketing Team", "Go", "--context", "x:={"], "'{' is not JSON"),
        (["Marketing Team", "-", "--context-file", "-"], "stdin cannot be both"),
        (["Marketing Team", "Go", "--context-file", "-"], "- is not JSON"),
    ],
)
def test_bad_input_starts_nothing(
    signed_in: Renum, world: World, team: dict, arguments: list[str], message: str
) -> None:
    refused = signed_in("run", *arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert message in refused.stderr
    assert world.executions == {}


def test_a_context_must_be_an_object(signed_in: Renum, team: dict) -> None:
    refused = signed_in("run", "Marketing Team", "Go", "--context-file", "-", stdin="[1]")
    assert "must hold a JSON object" in refused.stderr


def test_a_name_of_two_teams_lists_both(
    signed_in: Renum, server: Server, world: World, team: dict
) -> None:
    other = server.call(world.add_team)
    refused = signed_in("run", "Marketing Team", "Go")
    assert refused.exit_code == 2
    assert "2 teams are named 'Marketing Team': give an id" in refused.stderr
    assert team["id"] in refused.stderr
    assert other["id"] in refused.stderr


def test_a_run_that_may_have_started_says_so(signed_in: Renum, world: World, team: dict) -> None:
    world.faults[f"POST /teams/{team['id']}/execute"] += [Fault(broken=True)] * Timing().tries
    lost = signed_in("run", "Marketing Team", "Go")
    assert lost.exit_code == 5
    assert "may have been carried out" in lost.stderr


def test_an_inactive_team_is_refused_in_the_servers_words(
    signed_in: Renum, team: dict, world: World
) -> None:
    world.teams[team["id"]]["status"] = "inactive"
    refused = signed_in("run", "Marketing Team", "Go")
    assert refused.exit_code == 1
    assert "The team is inactive." in refused.stderr


def test_watching_shows_a_run_of_a_deleted_team_too(
    signed_in: Renum, server: Server, world: World, team: dict
) -> None:
    world.teams[team["id"]]["workflow_type"] = "pipeline"
    run_id = server.call(world.start, team)["execution_id"]
    world.until(lambda: world.executions[run_id]["status"] == "completed")
    done = signed_in("watch", run_id)
    assert (done.exit_code, done.stdout) == (0, "# Editor\n\nText of **Editor**.\n")
    del world.teams[team["id"]]
    assert signed_in("watch", run_id).stdout.count("--- ") == 3
    assert json.loads(signed_in("watch", run_id, "--json").stdout)["status"] == "completed"
    assert signed_in("watch", "none").exit_code == 2


def test_ctrl_c_leaves_the_run_and_says_how_to_go_on(
    signed_in: Renum, world: World, team: dict, environment: dict[str, str]
) -> None:
    world.play = idle
    process = subprocess.Popen(
        [sys.executable, "-m", "renum", "run", "Marketing Team", "Go"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    world.until(lambda: bool(world.sockets), 20)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    (run_id,) = world.executions
    assert (process.returncode, output) == (130, "")
    assert errors.splitlines()[-3:] == [
        "The run goes on without you.",
        f"  Watch it:  renum watch {run_id}",
        f"  Cancel it: renum executions cancel {run_id}",
    ]
    assert world.executions[run_id]["status"] == "running"


def test_an_error_while_watching_says_that_the_run_goes_on(
    signed_in: Renum, server: Server, world: World, team: dict
) -> None:
    async def play(run: Run) -> None:
        world.access.clear()
        world.refreshes.clear()

    world.play = play
    lost = signed_in("run", "Marketing Team", "Go")
    assert lost.exit_code == 4
    assert "The run goes on without you." in lost.stderr
