"""Row security: without a policy there are no rows, whatever was granted."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from app.infra.db import migrations


@pytest.fixture
def owner(new_database: Callable[[], str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(new_database(), autocommit=True) as connection:
        yield connection


def test_every_table_has_it(owner: psycopg.Connection) -> None:
    """A migration that makes a table says ALTER TABLE ... ENABLE ROW LEVEL SECURITY."""
    assert tables_without(owner) == []


def test_nothing_is_everybodys(owner: psycopg.Connection) -> None:
    """A migration that makes a function says REVOKE ALL ON FUNCTION ... FROM PUBLIC."""
    granted = owner.execute(
        """
        SELECT thing, a.privilege_type FROM (
            SELECT nspname AS thing, coalesce(nspacl, acldefault('n', nspowner)) AS acl
              FROM pg_namespace WHERE nspname = 'renum'
            UNION ALL
            SELECT relname, coalesce(relacl, acldefault('r', relowner))
              FROM pg_class WHERE relnamespace = 'renum'::regnamespace AND relkind <> 'i'
            UNION ALL
            SELECT proname, coalesce(proacl, acldefault('f', proowner))
              FROM pg_proc WHERE pronamespace = 'renum'::regnamespace
        ) things, aclexplode(acl) a
         WHERE a.grantee = 0
        """
    )
    assert granted.fetchall() == []


def test_it_is_taken_off_and_put_on_again(new_database: Callable[[], str]) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        migrations.downgrade(url, "0003")
        assert "teams" in tables_without(connection)
        migrations.upgrade(url)
        assert tables_without(connection) == []


def tables_without(owner: psycopg.Connection) -> list[str]:
    found = owner.execute(
        """
        SELECT relname FROM pg_class
         WHERE relnamespace = 'renum'::regnamespace AND relkind IN ('r', 'p')
           AND (NOT relrowsecurity OR relforcerowsecurity)
        """
    )
    return [name for (name,) in found.fetchall()]
