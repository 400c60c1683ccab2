"""Threads, user messages and runs in the state file."""

import sqlite3
from dataclasses import asdict, dataclass

from renum_sandbox.state import State
from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.runs import Ending, Engine, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    id: str
    project_id: str
    account_id: str
    name: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage:
    id: str
    thread_id: str
    content: str
    double_encoded: bool
    created_at: float


def add_thread(state: State, thread: Thread) -> None:
    state.insert("threads", **asdict(thread))


def thread(state: State, thread_id: str) -> Thread | None:
    row = state.one("SELECT * FROM threads WHERE id = ?", (thread_id,))
    return None if row is None else Thread(**dict(row))


def owns_project(state: State, account_id: str, project_id: str) -> bool:
    sql = "SELECT 1 FROM threads WHERE project_id = ? AND account_id = ?"
    return state.one(sql, (project_id, account_id)) is not None


def threads(state: State, account_id: str, *, limit: int, offset: int) -> tuple[list[Thread], int]:
    """One page of the account's threads, newest first, and how many there are in all."""
    total = state.one("SELECT count(*) AS n FROM threads WHERE account_id = ?", (account_id,))
    assert total is not None  # noqa: S101  a count always has a row
    rows = state.all(
        """
        SELECT * FROM threads WHERE account_id = ?
         ORDER BY created_at DESC, rowid DESC LIMIT ? OFFSET ?
        """,
        (account_id, limit, offset),
    )
    return [Thread(**dict(row)) for row in rows], total["n"]


def add_message(state: State, message: UserMessage) -> None:
    state.insert("user_messages", **asdict(message))


def messages(state: State, thread_id: str) -> list[UserMessage]:
    """The user's messages of a thread, oldest first."""
    rows = state.all(
        "SELECT * FROM user_messages WHERE thread_id = ? ORDER BY created_at, rowid", (thread_id,)
    )
    return [
        UserMessage(**{**dict(row), "double_encoded": bool(row["double_encoded"])}) for row in rows
    ]


def add_run(state: State, run: Run) -> None:
    state.insert("runs", **asdict(run))


def run(state: State, run_id: str) -> Run | None:
    row = state.one("SELECT * FROM runs WHERE id = ?", (run_id,))
    return None if row is None else _run(row)


def add_key(state: State, account_id: str, key: str, run_id: str) -> None:
    """Remember which run an idempotency key has started."""
    state.insert("idempotency_keys", account_id=account_id, key=key, run_id=run_id)


def run_of_key(state: State, account_id: str, key: str) -> Run | None:
    row = state.one(
        """
        SELECT r.* FROM idempotency_keys k JOIN runs r ON r.id = k.run_id
         WHERE k.account_id = ? AND k.key = ?
        """,
        (account_id, key),
    )
    return None if row is None else _run(row)


def runs_of_thread(state: State, thread_id: str) -> list[Run]:
    """Newest first."""
    rows = state.all(
        "SELECT * FROM runs WHERE thread_id = ? ORDER BY started_at DESC, rowid DESC", (thread_id,)
    )
    return [_run(row) for row in rows]


def all_runs(state: State) -> list[Run]:
    """Every run ever started, oldest first."""
    return [_run(row) for row in state.all("SELECT * FROM runs ORDER BY rowid")]


def stop_run(state: State, run_id: str, at: float) -> None:
    """Unconditional, as in the real Suna: it also overwrites `completed`."""
    state.run("UPDATE runs SET stopped_at = ? WHERE id = ?", (at, run_id))


def end_model_run(
    state: State, run_id: str, *, at: float, ending: Ending, text: str | None, error: str | None
) -> None:
    state.run(
        "UPDATE runs SET ends_at = ?, ending = ?, model_text = ?, error = ? WHERE id = ?",
        (at, ending, text, error, run_id),
    )


def fail_lost_model_runs(state: State, at: float) -> None:
    """A model run lives in one process; those without an end were lost with theirs."""
    state.run(
        "UPDATE runs SET ends_at = ?, ending = ?, error = ? WHERE engine = ?"
        " AND ends_at IS NULL AND stopped_at IS NULL",
        (at, Ending.FAIL, "The sandbox was restarted during the run", Engine.MODEL),
    )


def _run(row: sqlite3.Row) -> Run:
    values = dict(row)
    values["dialect"] = Dialect(values["dialect"])
    values["engine"] = Engine(values["engine"])
    values["ending"] = Ending(values["ending"])
    return Run(**values)
