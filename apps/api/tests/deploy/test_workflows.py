"""The workflows of GitHub Actions: valid, careful with rights, and true to the scripts."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
BIN = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def output_of(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [("github-workflows", "workflows/*.yml"), ("dependabot", "dependabot.yml")],
)
def test_github_would_take_them(schema: str, pattern: str) -> None:
    files = [str(f) for f in sorted((ROOT / ".github").glob(pattern))]
    assert files
    code, said = output_of(str(BIN / "check-jsonschema"), "--builtin-schema", schema, *files)
    assert code == 0, said


def test_zizmor_finds_nothing() -> None:
    code, said = output_of(
        str(BIN / "zizmor"), "--offline", "--no-progress", "--persona=pedantic", ".github"
    )
    assert code == 0, said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_actions_are_pinned_and_rights_are_given_one_by_one(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]["contents"] == "read"
        assert "uses" in job or job["timeout-minutes"] <= 60
    for line in re.findall(r"uses: (.+)", path.read_text()):
        pinned = re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
        assert pinned or line.startswith("./.github/workflows/"), line


def test_all_versions_are_tested_and_promised() -> None:
    matrix = read(ROOT / ".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    for package in ("apps/api", "apps/sandbox", "clients/python"):
        text = (ROOT / package / "pyproject.toml").read_text()
        for version in matrix["python"]:
            assert f'"Programming Language :: Python :: {version}"' in text, package


def test_images_carry_what_is_in_them_and_where_they_come_from() -> None:
    release = read(ROOT / ".github/workflows/release.yml")
    steps = release["jobs"]["image"]["steps"]
    (build,) = [s["with"] for s in steps if s.get("id") == "build"]
    assert (build["sbom"], build["provenance"], build["push"]) == (True, "mode=max", True)
    assert release["jobs"]["image"]["needs"] == "test"


def test_what_is_deployed_by_hand_is_what_is_deployed_by_itself() -> None:
    text = (ROOT / ".github/workflows/deploy.yml").read_text()
    called = re.findall(r"scripts/[\w-]+\.sh", text)
    assert set(called) == {"scripts/deploy-compose-over-ssh.sh", "scripts/deploy-helm.sh"}
    for script in called:
        assert (ROOT / script).stat().st_mode & 0o111


def test_what_a_run_says_is_never_part_of_a_command() -> None:
    """An input within `run` would be pasted into a shell; it goes through `env` instead."""
    for path in WORKFLOWS:
        for job in read(path)["jobs"].values():
            for step in job.get("steps", []):
                assert "${{" not in step.get("run", ""), step
