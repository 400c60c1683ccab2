"""Stopping a run, for whoever asks by whichever route."""

from renum_sandbox.context import Sandbox
from renum_sandbox.suna import store
from renum_sandbox.suna.runs import Run


def stop(sandbox: Sandbox, run: Run) -> None:
    """Not guarded: a run that was `completed` is `stopped` afterwards."""
    store.stop_run(sandbox.state, run.id, sandbox.now())
    if sandbox.model_runs is not None:
        sandbox.model_runs.stop(run.id)
    sandbox.bell.ring(run.id)
