"""The one SQLite file that makes a restart of the sandbox invisible to its clients."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

FILE_NAME = "sandbox.sqlite3"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, full_name TEXT NOT NULL,
    password_hash TEXT NOT NULL, confirmed INTEGER NOT NULL, banned INTEGER NOT NULL,
    created_at REAL NOT NULL, last_sign_in_at REAL
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_of_user ON sessions (user_id);
CREATE TABLE IF NOT EXISTS refresh_tokens (
    token TEXT PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    parent TEXT, used_at REAL
) STRICT;
CREATE INDEX IF NOT EXISTS refresh_tokens_of_session ON refresh_tokens (session_id);

CREATE TABLE IF NOT EXISTS threads (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL, account_id TEXT NOT NULL,
    name TEXT NOT NULL, created_at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS threads_of_account ON threads (account_id, created_at);
CREATE TABLE IF NOT EXISTS user_messages (
    id TEXT PRIMARY KEY, thread_id TEXT NOT NULL REFERENCES threads,
    content TEXT NOT NULL, double_encoded INTEGER NOT NULL, created_at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS user_messages_of_thread ON user_messages (thread_id, created_at);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, thread_id TEXT NOT NULL REFERENCES threads,
    account_id TEXT NOT NULL, agent_id TEXT NOT NULL, dialect TEXT NOT NULL,
    prompt TEXT NOT NULL, request_id TEXT, engine TEXT NOT NULL, ending TEXT NOT NULL,
    started_at REAL NOT NULL, visible_at REAL NOT NULL, ends_at REAL,
    error TEXT, model_text TEXT, stopped_at REAL
) STRICT;
CREATE TABLE IF NOT EXISTS idempotency_keys (
    account_id TEXT NOT NULL, key TEXT NOT NULL, run_id TEXT NOT NULL REFERENCES runs,
    PRIMARY KEY (account_id, key)
) STRICT;
CREATE INDEX IF NOT EXISTS runs_of_thread ON runs (thread_id, started_at);
"""

Parameters = Sequence[object] | Mapping[str, object]


class State:
    """
    Small synchronous statements on one connection, all on the event loop's thread.

    In autocommit mode, so each statement is durable on its own; `transaction` groups them.
    WAL with synchronous=NORMAL: what was committed survives a kill of the process.
    """

    def __init__(self, data_dir: Path | None) -> None:
        """Open `data_dir`/sandbox.sqlite3, made when missing; in memory without a directory."""
        if data_dir is not None:
            data_dir.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            ":memory:" if data_dir is None else data_dir / FILE_NAME,
            isolation_level=None,
            check_same_thread=False,
        )
        self._db.row_factory = sqlite3.Row
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.executescript(_SCHEMA)
        except BaseException:
            self._db.close()
            raise

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Execute one statement; how many rows it changed."""
        return self._db.execute(sql, parameters).rowcount

    def one(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, parameters).fetchone()
        return row

    def all(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        return self._db.execute(sql, parameters).fetchall()

    def insert(self, table: str, **values: object) -> None:
        """Insert one row; `table` and the column names come from our code, never from a client."""
        columns = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        self.run(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. No await may happen inside: the connection is shared."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()
