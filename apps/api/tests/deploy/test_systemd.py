"""The units of systemd, read by systemd's own tools where it is installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from app.server import GRACE_S

UNITS = Path(__file__).parents[4] / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
#: Of ten; what `systemd-analyze security` calls OK ends at 5.
MOST_EXPOSED = 1.5

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="THE UNITS ARE NOT VERIFIED: systemd-analyze is not installed (package systemd)",
)


@needs_systemd
def test_systemd_takes_them(tmp_path: Path) -> None:
    """On a root of its own, with the programs that the units name."""
    programs = tmp_path / "opt" / "renum" / "bin"
    programs.mkdir(parents=True)
    for name in ("renum-api", "python"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    own = tmp_path / "etc" / "systemd" / "system"
    own.mkdir(parents=True)
    for unit in SERVICES:
        shutil.copy(unit, own)
    system = next(
        p for p in (Path("/usr/lib/systemd/system"), Path("/lib/systemd/system")) if p.exists()
    )
    shutil.copytree(system, tmp_path / "usr" / "lib" / "systemd" / "system", symlinks=True)
    names = ["renum-api.service", "renum-worker@8001.service", "renum-migrate.service"]
    command = ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "renum" in line]
    assert (done.returncode, ours) == (0, [])


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda p: p.stem)
def test_they_may_do_next_to_nothing(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED


def test_a_worker_answers_on_the_port_in_its_name_to_its_machine_alone() -> None:
    worker = (UNITS / "renum-worker@.service").read_text()
    start = "ExecStart=/opt/renum/bin/renum-api worker --host 127.0.0.1 --port %i\n"
    assert start in worker
    probe = "ExecStartPost=/opt/renum/bin/python -m app.probe --wait 45 http://127.0.0.1:%i\n"
    assert probe in worker
    scraped = yaml.safe_load((UNITS.parent / "observability" / "prometheus.yml").read_text())
    targets = {
        job["job_name"]: [t for static in job["static_configs"] for t in static["targets"]]
        for job in scraped["scrape_configs"]
    }
    assert (
        f"--host 127.0.0.1 --port {targets['renum-api'][0].rpartition(':')[2]}\n"
        in (UNITS / "renum-api.service").read_text()
    )
    named = re.findall(r"renum-worker@(\d+)", worker)
    assert targets["renum-worker"] == [f"127.0.0.1:{port}" for port in named]


def test_they_are_what_is_written_about_them() -> None:
    texts = {unit.name: unit.read_text() for unit in SERVICES}
    assert set(texts) == {"renum-api.service", "renum-migrate.service", "renum-worker@.service"}
    for name in ("renum-api.service", "renum-worker@.service"):
        assert "Requires=renum-migrate.service" in texts[name]
        stop_s = re.search(r"TimeoutStopSec=(\d+)", texts[name])
        assert stop_s is not None
        assert int(stop_s[1]) > GRACE_S + 2
    # The process that renders templates limits its memory and time with setrlimit.
    assert not any("~@privileged @resources" in text for text in texts.values())
