"""What we tell people to paste works."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Renum
from .world import AGENTS, World, agent_id

README = Path(__file__).parents[1] / "README.md"
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
PROGRAMS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("program", "output"),
    list(zip(PROGRAMS, ["completed # Copywriter", "None connected", ""], strict=True)),
)
def test_the_programs_of_the_readme_run(
    program: str, output: str, url: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    program = program.replace("http://127.0.0.1:8000", url)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert output in done.stdout


def commands_of(renum: Renum, *group: str) -> list[tuple[str, ...]]:
    """Every command below a group, by its own help."""
    listed = renum(*group, "--help").stdout.partition("Commands:")[2]
    names = re.findall(r"^  ([a-z-]+) +[A-Z]", listed, re.MULTILINE)
    below = [commands_of(renum, *group, name) or [(*group, name)] for name in names]
    return [command for some in below for command in some]


def test_the_readme_names_every_command_and_no_other(renum: Renum) -> None:
    commands = set(commands_of(renum))
    groups = {command[0] for command in commands if len(command) > 1}
    named = set()
    for row in re.findall(r"^\| (`renum .*?) \| ", README.read_text("utf-8"), re.MULTILINE):
        spans = [span.split() for span in re.findall(r"`([^`]+)`", row)]
        group = tuple(word for word in spans[0][1:2] if word in groups)
        first = spans[0][1 + len(group)]
        named |= {(*group, name) for name in (first, *(span[0] for span in spans[1:]))}
    assert named == commands


@pytest.mark.parametrize(
    ("file", "agents"),
    [
        ("marketing-team.yaml", AGENTS[:3]),
        ("parallel-team.yaml", (*AGENTS[:2], "Data Extractor", "Summariser")),
    ],
)
def test_the_example_teams_are_made(
    signed_in: Renum, world: World, file: str, agents: tuple[str, ...]
) -> None:
    assert signed_in("teams", "create", "-f", str(EXAMPLES / file)).exit_code == 0
    made = world.bodies[-1]["agents"]
    assert [agent["agent_id"] for agent in made] == [agent_id(name) for name in agents]
    assert [agent["order"] for agent in made] == list(range(1, len(agents) + 1))
