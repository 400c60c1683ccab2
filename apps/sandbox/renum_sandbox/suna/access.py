"""Threads and runs of the caller: unknown ones are 404, those of another account 403."""

import math

from renum_sandbox.context import Sandbox
from renum_sandbox.suna import errors, store
from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.runs import Run
from renum_sandbox.suna.store import Thread


def thread_for(sandbox: Sandbox, account_id: str, thread_id: str) -> Thread:
    errors.require_uuid(thread_id, "Failed to verify thread access")
    thread = store.thread(sandbox.state, thread_id)
    if thread is None:
        raise errors.thread_not_found()
    if thread.account_id != account_id:
        raise errors.thread_denied()
    return thread


def run_for(sandbox: Sandbox, account_id: str, run_id: str, dialect: Dialect) -> Run:
    """Unknown also during the moment in which era B has answered a start but stored nothing."""
    errors.require_uuid(run_id, "Failed to fetch agent run")
    run = store.run(sandbox.state, run_id)
    if run is None or sandbox.now() < run.visible_at:
        raise errors.run_not_found(dialect)
    if run.account_id != account_id:
        raise errors.thread_denied()
    return run


def visible_runs(sandbox: Sandbox, thread: Thread) -> tuple[list[Run], bool]:
    """The thread's runs, newest first, and whether one is still to appear."""
    runs = store.runs_of_thread(sandbox.state, thread.id)
    now = sandbox.now()
    visible = [run for run in runs if run.visible_at <= now]
    return visible, any(now < run.visible_at < math.inf for run in runs)
