"""
Prove a tree of `scripts/image_steps.py`: it migrates, serves, works, and its healthcheck says so.

Where this is root on Linux, the tree runs as the image does in production: the file system is
read-only but for /tmp, and capabilities are dropped.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from scripts.image_steps import Stage

#: Settings that production asks for; nothing is at these addresses, and nothing is asked there.
ELSEWHERE = {
    "SUNA_API_URL": "https://suna.invalid/api",
    "SUNA_API_KEY": "pk_of_nobody:sk_of_nobody",
    "SUPABASE_URL": "https://supabase.invalid",
    "SUPABASE_ANON_KEY": "sb_publishable_of_nobody",
}
#: All that a container may write to.
TMP = "/tmp"  # noqa: S108  of the image, not of this machine
START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
# One capability is left: to reach the socket of a PostgreSQL that another user runs.
READ_ONLY = """
mount --make-rprivate /
mount -t tmpfs -o mode=1777 tmpfs "$1"
mount -o remount,bind,ro /
shift
if touch "$0" 2>/dev/null; then echo "the file system is not read-only" >&2; exit 1; fi
exec setpriv --bounding-set=-all,+dac_override --inh-caps=-all --no-new-privs "$@"
"""


class CheckFailed(Exception):
    """The tree does not do what an image has to; the message says what."""


def check(image: Stage) -> None:
    """Run the tree in every way that it is run in production. Raises CheckFailed."""
    with _database() as url:
        tree = _Tree(image, url)
        tree.run("migrate")
        with (
            tree.serves(*image.command, "--no-worker"),
            tree.serves("worker", "--host", "0.0.0.0"),  # noqa: S104  as in a container
        ):
            pass
    print("checked: it migrates, serves, works, and its healthcheck says so")


class _Tree:
    """The programs of a tree, with the environment of its image and nothing else."""

    def __init__(self, image: Stage, database_url: str) -> None:
        self.image = image
        self._env = image.environment(Path("/nonexistent")) | ELSEWHERE
        self._env |= {"APP_ENV": "production", "DATABASE_URL": database_url}
        self._confined = sys.platform == "linux" and os.geteuid() == 0
        if not self._confined:
            print("NOT CHECKED: a read-only file system, which only root can arrange", flush=True)

    def command(self, words: Sequence[str]) -> list[str]:
        plain = self._plain(words)
        if not self._confined:
            return plain
        tmp = str(self.image.path(TMP))
        return ["unshare", "--mount", "/bin/sh", "-euc", READ_ONLY, __file__, tmp, *plain]

    def run(self, *arguments: str) -> None:
        words = [*self.image.entrypoint, *arguments]
        print(f"run {' '.join(words)}", flush=True)
        if subprocess.run(self.command(words), env=self._env, check=False).returncode != 0:
            raise CheckFailed(f"{words} failed")

    @contextmanager
    def serves(self, *arguments: str) -> Iterator[None]:
        """Start it on a free port, and have the image's healthcheck say that it is well."""
        port = _free_port()
        with self.started(*arguments, "--port", str(port)) as process:
            process.is_well([word.replace(":8000", f":{port}") for word in self.image.healthcheck])
            yield

    @contextmanager
    def started(self, *arguments: str) -> Iterator["_Running"]:
        words = [*self.image.entrypoint, *arguments]
        print(f"start {' '.join(words)}", flush=True)
        process = subprocess.Popen(self.command(words), env=self._env)
        try:
            yield _Running(self, process)
            process.send_signal(signal.SIGTERM)
            if (code := process.wait(STOP_LIMIT_S)) != 0:
                raise CheckFailed(f"{words} exits with {code} when it is told to stop")
        finally:
            process.kill()
            process.wait()

    def asks(self, process: "subprocess.Popen[bytes]", probe: Sequence[str]) -> bool:
        """What the probe says, asked where the process runs: on a file system like its own."""
        command = self._plain(probe)
        if self._confined:
            command = ["nsenter", f"--target={process.pid}", "--mount", "--", *command]
        done = subprocess.run(command, env=self._env, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    def _plain(self, words: Sequence[str]) -> list[str]:
        return [str(self.image.path(f"/opt/renum/bin/{words[0]}")), *words[1:]]


class _Running:
    def __init__(self, tree: _Tree, process: "subprocess.Popen[bytes]") -> None:
        self._tree = tree
        self._process = process

    def is_well(self, probe: Sequence[str]) -> None:
        """Wait until the probe says so. Raises CheckFailed."""
        print(f"ask {' '.join(probe)}", flush=True)
        give_up_at = time.monotonic() + START_LIMIT_S
        while not self._tree.asks(self._process, probe):
            if self._process.poll() is not None:
                raise CheckFailed(f"it ended with {self._process.returncode}")
            if time.monotonic() >= give_up_at:
                raise CheckFailed(f"{probe} still says no")
            time.sleep(0.2)


def _database() -> AbstractContextManager[str]:
    if url := os.environ.get("DATABASE_URL"):
        return nullcontext(url)
    return _embedded()


@contextmanager
def _embedded() -> Iterator[str]:
    from app.infra.db.embedded import embedded_postgres

    with (
        tempfile.TemporaryDirectory(prefix="renum-pg-") as folder,
        embedded_postgres(Path(folder, "postgres")) as url,
    ):
        yield url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
