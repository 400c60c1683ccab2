"""Brings a database to the schema that this code works on, with Alembic."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from alembic import command

logger = logging.getLogger(__name__)

#: Any number, the same everywhere: processes that start together migrate one after the other.
_ADVISORY_LOCK = 7_281_866_021
#: So long a statement waits for a table; in that time all others wait behind it.
LOCK_LIMIT_S = 5
_TRIES = 12
_LET_OTHERS_S = 5.0
_ASK_AGAIN_S = 0.1

_PACKAGED = Path(__file__).parents[2] / "_alembic"
_IN_SOURCE = Path(__file__).parents[3] / "alembic"


class TableInUse(Exception):
    """A migration got no lock in about two minutes; the message says what to do."""


def upgrade(url: str, revision: str = "head") -> None:
    """
    Apply what is missing; processes that call it together take turns. Blocking.

    A schema of a later version is left alone, with a warning: that is how a version that is rolled
    back finds it, and each version works with the schema of the next (CONTRIBUTING.md). Raises
    TableInUse.
    """
    _run(url, command.upgrade, revision, unless=_is_later)


def downgrade(url: str, revision: str = "base") -> None:
    """Undo down to *revision*, with the data in it. Blocking."""
    _run(url, command.downgrade, revision)


def head() -> str:
    """The revision this code works on."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def knows(revision: str) -> bool:
    """Whether this code's history has the revision."""
    return revision in {s.revision for s in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    location = _PACKAGED if _PACKAGED.exists() else _IN_SOURCE
    config = Config()
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def turn(url: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection, while no other process changes the schema. Blocking."""
    with psycopg.connect(url, autocommit=True) as connection:
        # Asked again and again: a statement that waits for it would hold a snapshot, for whose end
        # CREATE INDEX CONCURRENTLY waits, in the process that has the lock.
        ask = "SELECT pg_try_advisory_lock(%s)"
        while connection.execute(ask, (_ADVISORY_LOCK,)).fetchone() != (True,):
            time.sleep(_ASK_AGAIN_S)
        yield connection


def _is_later(guard: psycopg.Connection) -> bool:
    if guard.execute("SELECT to_regclass('renum.alembic_version')").fetchone() == (None,):
        return False
    found = guard.execute("SELECT version_num FROM renum.alembic_version").fetchone()
    if found is None or found[0] <= head():  # they are numbers of four digits
        return False
    logger.warning("the schema is later (%s) than this version (%s), and stays", found[0], head())
    return True


def _run(
    url: str,
    change: Callable[[Config, str], None],
    revision: str,
    *,
    unless: Callable[[psycopg.Connection], bool] = lambda _: False,
) -> None:
    with turn(url) as guard:
        if unless(guard):
            return
        # Asked first: IF NOT EXISTS wants the right to create even where nothing is created.
        if guard.execute("SELECT FROM pg_namespace WHERE nspname = 'renum'").fetchone() is None:
            guard.execute("CREATE SCHEMA renum")
        # A creator, because SQLAlchemy's own parsing of URLs knows less than libpq's.
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: _connect(url), poolclass=NullPool
        )
        try:
            _insist(lambda: _change(engine, change, revision))
        finally:
            engine.dispose()


def _insist(change: Callable[[], None]) -> None:
    """Try again where a table is in use; what was applied by then stays so."""
    for tries in itertools.count(1):
        try:
            change()
        except (LockNotAvailable, DBAPIError) as error:
            if not isinstance(getattr(error, "orig", error), LockNotAvailable):
                raise
            if tries == _TRIES:
                raise TableInUse(
                    "a long transaction keeps a table in use: find it in pg_stat_activity, and "
                    "migrate again; what was applied already stays so"
                ) from error
            logger.warning("a table is in use; the migration lets others go first")
            time.sleep(_LET_OTHERS_S)
        else:
            return


def _change(engine: Engine, change: Callable[[Config, str], None], revision: str) -> None:
    with engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        change(config, revision)
        connection.commit()


def _connect(url: str) -> psycopg.Connection:
    connection = psycopg.connect(url)
    # Whoever waits for a lock on a table holds up all who come later, readers too.
    connection.execute(f"SET lock_timeout = '{LOCK_LIMIT_S}s'".encode())
    connection.commit()
    return connection
