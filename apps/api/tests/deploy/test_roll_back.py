"""A version that is rolled back finds the schema of the next one, and works."""

import logging
from collections.abc import Callable

import psycopg
import pytest
from alembic.util import CommandError

from app.infra.db import migrations


def set_revision(url: str, revision: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE renum.alembic_version SET version_num = %s", (revision,))


def revision_of(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT version_num FROM renum.alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def test_a_later_schema_stays_as_it_is(
    new_database: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    url = new_database()
    set_revision(url, "9999")
    with caplog.at_level(logging.WARNING):
        migrations.upgrade(url)
    assert revision_of(url) == "9999"
    assert "the schema is later (9999)" in caplog.text


def test_a_schema_that_is_nobody_s_is_an_error(new_database: Callable[[], str]) -> None:
    url = new_database()
    set_revision(url, "0000")
    with pytest.raises(CommandError, match="0000"):
        migrations.upgrade(url)


def test_the_schema_of_this_version_needs_nothing(new_database: Callable[[], str]) -> None:
    url = new_database()
    migrations.upgrade(url)
    assert revision_of(url) == migrations.head()
