"""What a migration does to a database that is in use: the dangers of it, seen on a real one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import Engine, event

_COLUMNS = """
SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef OR a.attidentity <> ''
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'renum'::regnamespace AND c.relkind = 'r'
"""
_TABLES = """
SELECT relname, relfilenode FROM pg_class
 WHERE relnamespace = 'renum'::regnamespace AND relkind = 'r'
"""
_INDEXES = "SELECT indexname, tablename FROM pg_indexes WHERE schemaname = 'renum'"
_CONSTRAINTS = """
SELECT conname, conrelid::regclass::text FROM pg_constraint
 WHERE connamespace = 'renum'::regnamespace AND contype IN ('c', 'f') AND convalidated
"""
_FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'renum'::regnamespace
"""
#: Modes that keep others from writing, or from reading too.
_LOCKED = """
SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
 WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'renum'::regnamespace AND c.relkind = 'r'
   AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""


@dataclass(frozen=True)
class Schema:
    tables: dict[str, int]
    columns: dict[str, tuple[str, bool, bool]]
    indexes: dict[str, str]
    constraints: dict[str, str]
    functions: set[str]

    @classmethod
    def of(cls, url: str) -> "Schema":
        def rows(query: str) -> list[Any]:
            return connection.execute(query.encode()).fetchall()

        with psycopg.connect(url) as connection:
            return cls(
                tables=dict(rows(_TABLES)),
                columns={name: tuple(rest) for name, *rest in rows(_COLUMNS)},
                indexes=dict(rows(_INDEXES)),
                constraints=dict(rows(_CONSTRAINTS)),
                functions={name for (name,) in rows(_FUNCTIONS)},
            )


@dataclass
class Watched:
    statements: list[str] = field(default_factory=list)
    #: Of each statement: tables that it, or an earlier one of its transaction, has locked.
    locked: list[set[str]] = field(default_factory=list)


@contextmanager
def watched() -> Iterator[Watched]:
    """The statements that migrations of this process execute, and what they lock."""
    seen = Watched()

    def after(connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        seen.statements.append(statement)
        raw = connection.connection.driver_connection
        seen.locked.append({name for (name,) in raw.execute(_LOCKED).fetchall()})

    event.listen(Engine, "after_cursor_execute", after)
    try:
        yield seen
    finally:
        event.remove(Engine, "after_cursor_execute", after)


def dangers(url: str, change: Callable[[], None]) -> set[str]:
    """What servers that run meanwhile would suffer from, be they of the version before or after."""
    before = Schema.of(url)
    with watched() as seen:
        change()
    after = Schema.of(url)
    found = _for_old_code(before, after) | _for_big_tables(before, after, seen)
    for locked in seen.locked:
        if len(in_use := locked & set(before.tables)) > 1:
            found.add(f"locks {' and '.join(sorted(in_use))} in one transaction")
    return found


def _for_old_code(before: Schema, after: Schema) -> set[str]:
    found = {f"drops table {name}" for name in before.tables.keys() - after.tables.keys()}
    found |= {f"drops function {name}" for name in before.functions - after.functions}
    for name, (type_, not_null, _) in before.columns.items():
        if name.partition(".")[0] not in after.tables:
            continue
        if name not in after.columns:
            found.add(f"drops column {name}")
            continue
        new_type, new_not_null, _ = after.columns[name]
        if new_type != type_:
            found.add(f"changes the type of {name}")
        if new_not_null and not not_null:
            found.add(f"makes {name} NOT NULL")
    for name, (_, not_null, has_default) in after.columns.items():
        is_new = name not in before.columns and name.partition(".")[0] in before.tables
        if is_new and not_null and not has_default:
            found.add(f"adds {name}, which old code does not fill")
    return found


def _for_big_tables(before: Schema, after: Schema, seen: Watched) -> set[str]:
    found = {
        f"rewrites table {name}"
        for name, node in before.tables.items()
        if after.tables.get(name, node) != node
    }
    concurrently = [s for s in seen.statements if "CONCURRENTLY" in s]
    for name, table in after.indexes.items():
        made = name not in before.indexes and table in before.tables
        if made and not any(name in statement for statement in concurrently):
            found.add(f"builds index {name} while nobody can write to {table}")
    for name, table in after.constraints.items():
        if name not in before.constraints and table.removeprefix("renum.") in before.tables:
            found.add(f"checks constraint {name} while nobody can write to {table}")
    return found
