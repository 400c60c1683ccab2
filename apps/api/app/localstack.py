"""
What development needs and nobody has set: a database, and a Suna and Supabase to talk to.

The database is PostgreSQL from a package; the other two are the sandbox, a process of its own.
Both keep their data under DATA_DIR, so that a restart finds everything as it was.
"""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from app.core.settings import ConfigurationError, Settings
from app.infra.db.embedded import embedded_postgres
from app.infra.db.embedded_programs import EmbeddedPostgresError

_READY = "renum-sandbox ready "
_START_LIMIT_S = 30.0
_STOP_LIMIT_S = 5.0
_PROBE_LIMIT_S = 1.0


@contextmanager
def development_stack(settings: Settings, *, speed: float = 1.0) -> Iterator[Settings]:
    """
    The settings with everything that is missing filled in, and running, until the block ends.

    *speed* multiplies the length of the sandbox's runs: 0 is instant. Blocks; enter it before
    an event loop starts. Raises ConfigurationError when something cannot be started.
    """
    with ExitStack() as stack:
        filled: dict[str, object] = {}
        if "cors_origins" not in settings.model_fields_set:
            filled["cors_origins"] = ("http://localhost:3000",)
        if "webhooks_allow_private" not in settings.model_fields_set:
            filled["webhooks_allow_private"] = True  # whoever develops receives them here
        sandbox = None
        if not (settings.suna_api_url and settings.supabase_url):
            # It starts while the database does.
            sandbox = stack.enter_context(_sandbox(settings, speed))
        if not settings.database_url:
            directory = settings.data_dir / "postgres"
            try:
                url = stack.enter_context(embedded_postgres(directory))
            except EmbeddedPostgresError as error:
                raise ConfigurationError([str(error)]) from error
            filled["database_url"] = SecretStr(url)
        if sandbox is not None:
            filled |= _served_by(sandbox.url(), settings)
        yield settings.having(filled)


#: Where the sandbox speaks a dialect that was asked for.
_BASES = {"initiate": "/api", "execute": "/gateway/api"}


def _served_by(url: str, settings: Settings) -> dict[str, object]:
    from renum_sandbox import constants

    filled: dict[str, object] = {}
    if not settings.suna_api_url:
        filled |= {
            "suna_api_url": f"{url}{_BASES.get(settings.suna_api_dialect, '/v1')}",
            "suna_api_key": SecretStr(constants.SUNA_API_KEY),
        }
        if "suna_max_parallel_runs" not in settings.model_fields_set:
            filled["suna_max_parallel_runs"] = 0  # the sandbox has no limit to run into
    if not settings.supabase_url:
        filled |= {
            "supabase_url": url,
            "supabase_anon_key": SecretStr(constants.PUBLISHABLE_KEY),
            "supabase_service_key": SecretStr(constants.SECRET_KEY),
        }
    return filled


class _Process:
    """A sandbox of ours, perhaps still starting."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._line = ""
        self._reader = threading.Thread(target=self._read_line, name="sandbox", daemon=True)
        self._reader.start()

    def url(self) -> str:
        """Where it listens; waits until it does. Raises ConfigurationError."""
        self._reader.join(_START_LIMIT_S)
        if not self._line.startswith(_READY):
            raise ConfigurationError(["the sandbox did not start; it says why above"])
        return self._line.removeprefix(_READY).strip()

    def stop(self) -> None:
        assert self._process.stdin is not None  # noqa: S101  made with pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.close()  # it exits when its parent is gone, which looks like this
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read_line(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  made with pipes
        self._line = self._process.stdout.readline()


class _Running:
    """A sandbox that another process of ours has started on the same data."""

    def __init__(self, url: str) -> None:
        self._url = url

    def url(self) -> str:
        return self._url


@contextmanager
def _sandbox(settings: Settings, speed: float) -> Iterator[_Process | _Running]:
    directory = settings.data_dir / "sandbox"
    if running := _running_sandbox(directory):
        yield _Running(running)
        return
    if find_spec("renum_sandbox") is None:
        raise ConfigurationError(
            ["SUNA_API_URL and SUPABASE_URL are missing, and renum-sandbox is not installed"]
        )
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "renum_sandbox", "--exit-with-parent"]
    command += ["--data-dir", str(directory), "--speed", str(speed)]
    process = _Process(
        subprocess.Popen(  # noqa: S603  our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Out of reach of Ctrl-C: it must outlive the requests that we still finish.
            start_new_session=True,
            env={
                **os.environ,
                "APP_ENV": settings.app_env,
                "JWT_EXPIRE_MINUTES": str(settings.jwt_expire_minutes),
                "JWT_SECRET_KEY": settings.jwt_secret_key.get_secret_value(),
            },
        )
    )
    try:
        yield process
    finally:
        process.stop()


def _running_sandbox(directory: Path) -> str | None:
    """The sandbox of `renum-api dev` in another terminal, seen from `renum-api worker`."""
    try:
        url = f"http://127.0.0.1:{int((directory / 'port').read_text())}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/openapi.json", timeout=_PROBE_LIMIT_S) as answer:
            title = json.load(answer)["info"]["title"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url if str(title).startswith("Renum sandbox") else None
