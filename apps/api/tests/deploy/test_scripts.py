"""
The deployment scripts, with stand-ins for `docker`, `helm` and `ssh` on the PATH.

A stand-in writes down what it was asked, and knows which images are bad. What Docker Compose itself
thinks of compose.yaml is in test_compose.py, and the probe meets real servers in test_probe.py.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
SCRIPTS = ROOT / "scripts"
BIN = Path(sys.executable).parent

DOCKER = """#!/bin/sh
echo "docker $RENUM_IMAGE: $*" >> "$CALLS"
case "$*" in
  "compose config"*) exit "${CONFIG_CODE:-0}" ;;
  pull*) case $* in *absent*) exit 1 ;; esac ;;
  "compose up"*) case $RENUM_IMAGE in *unhealthy*) exit 1 ;; esac ;;
  "compose exec"*) case $RENUM_IMAGE in *silent*) exit 1 ;; esac ;;
esac
"""
HELM = """#!/bin/sh
echo "helm $*" >> "$CALLS"
case "$1" in
  history) [ -n "$HISTORY" ] && echo "$HISTORY" || exit 1 ;;
  upgrade) case "$*" in *unhealthy*) exit 1 ;; esac
    case "$*" in *silent*) touch "$CALLS.silent" ;; esac ;;
  test) [ ! -e "$CALLS.silent" ] ;;
  rollback) rm -f "$CALLS.silent"; exit "${ROLLBACK_CODE:-0}" ;;
esac
"""
SSH = """#!/bin/sh
echo "ssh $*" >> "$CALLS"
while [ $# -gt 1 ]; do shift; done
exec sh -c "$1"
"""


class Host:
    """A machine with stand-ins on its PATH."""

    def __init__(self, folder: Path) -> None:
        self.home, self.calls_file = folder / "home", folder / "calls"
        (self.home / "scripts").mkdir(parents=True)
        for script in SCRIPTS.glob("*.sh"):
            shutil.copy2(script, self.home / "scripts")
        programs = folder / "bin"
        programs.mkdir()
        for name, text in {"docker": DOCKER, "helm": HELM, "ssh": SSH}.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.path = f"{programs}:{BIN}:{os.environ['PATH']}"

    def run(self, script: str, *arguments: str, **env: str) -> int:
        self.calls_file.write_text("")
        done = subprocess.run(
            [str(self.home / "scripts" / script), *arguments],
            cwd=self.home,
            env={"PATH": self.path, "CALLS": str(self.calls_file), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        self.said = done.stderr
        return done.returncode

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()

    def did(self, what: str) -> list[str]:
        return [call for call in self.calls if what in call]

    def kept(self, name: str = ".renum-release") -> str | None:
        file = self.home / name
        return file.read_text().strip() if file.exists() else None


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_shellcheck_finds_nothing() -> None:
    scripts = sorted(map(str, SCRIPTS.glob("*.sh")))
    assert len(scripts) == 5
    command = [
        str(BIN / "shellcheck"),
        "--enable=all",
        "--exclude=SC2250,SC2292,SC2310,SC2312",
        *scripts,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


class TestCompose:
    def test_what_is_well_stays(self, host: Host) -> None:
        assert host.run("deploy-compose.sh", "renum:1", "1.0.0") == 0
        steps = [call.split(": ", 1)[1].removeprefix("compose ") for call in host.calls]
        assert [step.split()[0] for step in steps] == ["config", "pull", "up", "exec"]
        assert steps[1] == "pull --quiet renum:1"
        assert "--wait" in host.did("compose up")[0]
        assert "--version 1.0.0" in host.did("compose exec")[0]
        assert (host.kept(), host.kept(".renum-release.previous")) == ("renum:1", None)

        assert host.run("deploy-compose.sh", "renum:2") == 0
        assert (host.kept(), host.kept(".renum-release.previous")) == ("renum:2", "renum:1")

    @pytest.mark.parametrize("bad", ["renum:unhealthy", "renum:silent"])
    def test_what_is_not_well_makes_room_for_what_was(self, host: Host, bad: str) -> None:
        assert host.run("deploy-compose.sh", "renum:1") == 0
        assert host.run("deploy-compose.sh", bad) == 1
        ups = host.did("compose up")
        assert [up.split()[1] for up in ups] == [f"{bad}:", "renum:1:"]
        assert host.did("compose exec")[-1].startswith("docker renum:1:")
        assert host.did("compose logs")
        assert "renum:1 runs again" in host.said
        assert (host.kept(), host.kept(".renum-release.previous")) == ("renum:1", None)

    def test_the_first_one_has_nothing_to_go_back_to(self, host: Host) -> None:
        assert host.run("deploy-compose.sh", "renum:unhealthy") == 2
        assert "nothing to go back to" in host.said
        assert host.kept() is None

    def test_when_neither_is_well_it_says_so(self, host: Host) -> None:
        (host.home / ".renum-release").write_text("renum:silent\n")
        assert host.run("deploy-compose.sh", "renum:unhealthy") == 2
        assert "renum:silent is not well either" in host.said

    @pytest.mark.parametrize(
        ("image", "env"), [("renum:absent", {}), ("renum:2", {"CONFIG_CODE": "1"})]
    )
    def test_what_cannot_work_changes_nothing(
        self, host: Host, image: str, env: dict[str, str]
    ) -> None:
        assert host.run("deploy-compose.sh", "renum:1") == 0
        assert host.run("deploy-compose.sh", image, **env) == 3
        assert host.did("compose up") == []
        assert host.kept() == "renum:1"

    def test_back_and_forth_by_hand(self, host: Host) -> None:
        assert host.run("rollback-compose.sh") == 3
        for image in ("renum:1", "renum:2"):
            assert host.run("deploy-compose.sh", image) == 0
        assert host.run("rollback-compose.sh") == 0
        assert (host.kept(), host.kept(".renum-release.previous")) == ("renum:1", "renum:2")
        assert host.run("rollback-compose.sh") == 0
        assert host.kept() == "renum:2"

    def test_over_ssh_the_same_happens_there(self, host: Host, tmp_path: Path) -> None:
        (host.home / "compose.yaml").write_text("services: {}\n")
        there = tmp_path / "it's there"
        arguments = ("deploy@host.example", str(there), "renum:1", "1.0.0")
        assert host.run("deploy-compose-over-ssh.sh", *arguments) == 0
        assert (there / ".renum-release").read_text() == "renum:1\n"
        assert (there / "compose.yaml").exists()
        assert "StrictHostKeyChecking=yes" in host.did("ssh")[0]

        bad = (*arguments[:2], "renum:unhealthy", "")
        assert host.run("deploy-compose-over-ssh.sh", *bad) == 1
        assert (there / ".renum-release").read_text() == "renum:1\n"

    def test_an_image_is_a_word_and_never_a_command(self, host: Host, tmp_path: Path) -> None:
        (host.home / "compose.yaml").write_text("services: {}\n")
        image = f"renum:1; touch {tmp_path}/harm"
        there = str(tmp_path / "there")
        assert host.run("deploy-compose-over-ssh.sh", "h", there, image) == 0
        assert not (tmp_path / "harm").exists()
        assert (tmp_path / "there" / ".renum-release").read_text() == f"{image}\n"


class TestHelm:
    HISTORY = '[{"revision": 3, "status": "superseded"}, {"revision": 4, "status": "deployed"}]'
    IMAGE = "ghcr.io/example/renum"

    def test_what_is_well_stays(self, host: Host) -> None:
        image = f"{self.IMAGE}@sha256:abc"
        assert host.run("deploy-helm.sh", "renum", "prod", image, "--values", "v.yaml") == 0
        (upgrade,) = host.did("helm upgrade")
        for part in (
            "--install",
            "--wait",
            "--namespace prod",
            f"image.repository={self.IMAGE}",
            "image.digest=sha256:abc",
            "--values v.yaml",
        ):
            assert part in upgrade
        assert host.did("helm test renum --namespace prod")
        assert host.did("rollback") == []

    def test_a_tag_takes_back_the_digest_of_before(self, host: Host) -> None:
        assert host.run("deploy-helm.sh", "renum", "prod", "localhost:5000/renum:1.2") == 0
        (upgrade,) = host.did("helm upgrade")
        assert "image.repository=localhost:5000/renum " in upgrade
        assert "image.tag=1.2 " in upgrade
        assert upgrade.endswith("image.digest=")

    @pytest.mark.parametrize("bad", ["unhealthy", "silent"])
    def test_what_is_not_well_makes_room_for_what_was(self, host: Host, bad: str) -> None:
        image = f"{self.IMAGE}:{bad}"
        assert host.run("deploy-helm.sh", "renum", "prod", image, HISTORY=self.HISTORY) == 1
        (rollback,) = host.did("rollback")
        assert rollback.startswith("helm rollback renum 4 --namespace prod --wait")
        assert host.calls[-1].startswith("helm test")
        assert "revision 4 runs again" in host.said

    def test_the_first_one_has_nothing_to_go_back_to(self, host: Host) -> None:
        assert host.run("deploy-helm.sh", "renum", "prod", f"{self.IMAGE}:unhealthy") == 2
        assert host.did("rollback") == []

    def test_when_it_cannot_go_back_it_says_so(self, host: Host) -> None:
        env = {"HISTORY": self.HISTORY, "ROLLBACK_CODE": "1"}
        assert host.run("deploy-helm.sh", "renum", "prod", f"{self.IMAGE}:silent", **env) == 2
        assert "revision 4 is not well either" in host.said

    def test_an_image_without_tag_is_refused(self, host: Host) -> None:
        assert host.run("deploy-helm.sh", "renum", "prod", "renum") == 2
        assert host.calls == []

    def test_back_by_hand(self, host: Host) -> None:
        assert host.run("rollback-helm.sh", "renum", "prod") == 0
        assert host.calls[0].startswith("helm rollback renum 0 --namespace prod --wait")
        assert host.calls[1].startswith("helm test renum")
