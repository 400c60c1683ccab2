"""Brings a database to the schema that this code works on, with Alembic."""

from collections.abc import Callable
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


def _config() -> Config:
    location = _PACKAGED if _PACKAGED.exists() else _IN_SOURCE
    config = Config()
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _run(url: str, change: Callable[[Config, str], None], revision: str) -> None:
    with psycopg.connect(url, autocommit=True) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
        guard.execute("CREATE SCHEMA IF NOT EXISTS renum")
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
