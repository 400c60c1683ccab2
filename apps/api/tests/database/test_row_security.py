"""Row security: without a policy there are no rows, whatever was granted."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from app.infra.db import migrations


@pytest.fixture
def owner(new_database: Callable[[], str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(new_database(), autocommit=True) as connection:
        yield connection


def test_every_table_has_it(owner: psycopg.Connection) -> None:
    """A migration that makes a table: ALTER TABLE ... ENABLE ROW LEVEL SECURITY."""
    open_tables = owner.execute(
        """
        SELECT relname FROM pg_class
         WHERE relnamespace = 'renum'::regnamespace AND relkind IN ('r', 'p')
           AND (NOT relrowsecurity OR relforcerowsecurity)
        """
    )
    assert open_tables.fetchall() == []


def test_nothing_is_everybodys(owner: psycopg.Connection) -> None:
    """A migration that makes a function: REVOKE ALL ON FUNCTION ... FROM PUBLIC."""
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
