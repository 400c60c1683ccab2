"""Brings a database to the schema that this code works on, with Alembic."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from alembic import command

#: Any number, the same everywhere: processes that start together migrate one after the other.
_ADVISORY_LOCK = 7_281_866_021

_PACKAGED = Path(__file__).parents[2] / "_alembic"
_IN_SOURCE = Path(__file__).parents[3] / "alembic"


def upgrade(url: str, revision: str = "head") -> None:
    """Apply what is missing; processes that call it together take turns. Blocking."""
    _run(url, command.upgrade, revision)


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
        connection.execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
        yield connection


def _run(url: str, change: Callable[[Config, str], None], revision: str) -> None:
    with turn(url) as guard:
        # Asked first: IF NOT EXISTS wants the right to create even where nothing is created.
        if guard.execute("SELECT FROM pg_namespace WHERE nspname = 'renum'").fetchone() is None:
            guard.execute("CREATE SCHEMA renum")
        # A creator, because SQLAlchemy's own parsing of URLs knows less than libpq's.
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool
        )
        with engine.connect() as connection:
            config = _config()
            config.attributes["connection"] = connection
            change(config, revision)
            connection.commit()
        engine.dispose()
