"""What the documentation shows does what it says: every block is run, checked, or says why not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from renum_sandbox import constants
from renum_sandbox.testing import running_sandbox
from tests.docs.blocks import MARKS, ROOT, RUNNABLE, Block, blocks, pages
from tests.endpoints.people import checked, signed_in
from tests.serving import serving, settings_for

SHOWN = "http://127.0.0.1:8000"
BLOCKS = [block for page in pages() for block in blocks(page)]
BIN = Path(sys.executable).parent
CONTRACTS: list[dict[str, Any]] = [
    json.loads((ROOT / "docs" / name).read_text()) for name in ("openapi.json", "asyncapi.json")
]


@pytest.fixture
def url(new_database: Callable[[], str]) -> Iterator[str]:
    """A new one for each page; at the pace of `make run`, so that what is cancelled still runs."""
    with (
        running_sandbox() as sandbox,
        serving(settings_for(sandbox, new_database(), webhooks_allow_private=True)) as served,
    ):
        yield served


def test_every_fence_is_a_block_that_we_know() -> None:
    fences = sum(page.read_text().count("```") for page in pages())
    assert fences == 2 * len(BLOCKS)
    assert len(BLOCKS) > 50


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_no_block_is_left_unmarked(block: Block) -> None:
    """When this fails: let it run, or say in a comment before it what it is or why it cannot."""
    assert set(block.marks) <= set(MARKS)
    if block.language != "text":
        assert block.language in RUNNABLE or {"is", "not run", "file"} & set(block.marks)


@pytest.mark.parametrize("block", [b for b in BLOCKS if "is" in b.marks], ids=str)
def test_what_is_said_to_be_something_is(block: Block) -> None:
    jsonschema.Draft202012Validator(schema_of(block.marks["is"])).validate(json.loads(block.code))


def schema_of(name: str) -> dict[str, Any]:
    """The schema of a body, or the message of the live stream, with this name."""
    for contract in CONTRACTS:
        parts = contract["components"]
        if name in parts["schemas"]:
            return {**contract, "$ref": f"#/components/schemas/{name}"}
        if name in parts.get("messages", {}):
            return {**contract, "$ref": f"#/components/messages/{name}/payload"}
    pytest.fail(f"no contract knows {name}")


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in BLOCKS if b.marks.get("is") == "CreateTeam"], ids=str)
def test_a_team_in_the_documentation_can_be_made(block: Block, url: str) -> None:
    """The server's own rules: keys, cycles, templates, agents that exist."""
    with signed_in(url, constants.BRUNO_EMAIL) as http:
        checked(http.post("teams", json=json.loads(block.code)), 201)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in pages() if any(block.runs for block in blocks(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_blocks_of_a_page_run(page: Path, url: str, tmp_path: Path) -> None:
    if any(b.runs and b.language == "js" for b in blocks(page)) and not shutil.which("node"):
        pytest.skip("its JavaScript needs node")
    ran = subprocess.run(
        ["timeout", "90", "bash", script_of(page, url, tmp_path)],
        cwd=tmp_path,
        env={
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "RENUM_URL": url,
            "NO_PROXY": "*",
            **signed_in_already(url),
        },
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"


def signed_in_already(url: str) -> dict[str, str]:
    """What pages that do not begin with signing in say that you have."""
    with signed_in(url, constants.ANA_EMAIL) as http:
        token = http.headers["Authorization"].removeprefix("Bearer ")
        team = {
            "name": "One agent",
            "workflow_type": "sequential",
            "agents": [{"agent_id": constants.OUTLINE_AGENT_ID}],
        }
        team_id = checked(http.post("teams", json=team), 201)["id"]
        body = {"input_data": {"prompt": "Name three colours"}}
        started = checked(http.post(f"teams/{team_id}/execute", json=body), 202)
    return {"TOKEN": token, "TEAM_ID": team_id, "EXECUTION_ID": started["execution_id"]}


def script_of(page: Path, url: str, folder: Path) -> Path:
    """One shell script that runs the blocks of a page in order, and stops at what fails."""
    # An answer of 400 or more is a failure, as nobody would want it from documentation.
    (folder / ".curlrc").write_text("fail-with-body\n")
    (folder / ".venv").symlink_to(BIN.parent)
    (folder / "docs").symlink_to(ROOT / "docs")
    lines = ["set -Eeuo pipefail", "set -a", "trap 'echo \"failed: $at\" >&2' ERR"]
    for number, block in enumerate(blocks(page)):
        code = block.code.replace(SHOWN, url).replace(SHOWN[7:], url[7:])
        if "file" in block.marks:
            (folder / block.marks["file"]).write_text(code)
        if not block.runs:
            continue
        suffix = "mjs" if block.language == "js" else block.language
        stored = folder / f"block{number}.{suffix}"
        stored.write_text(code + block.marks.get("run with", "") + "\n")
        command = {"sh": ".", "python": "python", "js": "node --experimental-websocket"}
        lines += [f"at={block}", f"{command[block.language]} ./{stored.name}"]
    script = folder / "page.sh"
    script.write_text("\n".join(lines) + "\n")
    return script
