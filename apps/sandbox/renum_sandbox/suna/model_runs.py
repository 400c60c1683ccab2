"""Runs that a real model answers: one task each, and the beats it has made so far."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from renum_sandbox.agents import catalogue
from renum_sandbox.agents.prompt import without_markers
from renum_sandbox.bell import Bell
from renum_sandbox.openai import ChatModel, ModelError
from renum_sandbox.state import State
from renum_sandbox.suna import store
from renum_sandbox.suna.runs import Ending, Run
from renum_sandbox.suna.script import Beat, Kind, Turn

_log = logging.getLogger(__name__)
_KEPT = 200
"""Runs whose exact beats are kept for replay; older ones are cut anew from their text."""


@dataclass(slots=True)
class _Live:
    beats: list[Beat] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None


class ModelRuns:
    """Owns the tasks; a run that is not over when the process ends is failed at the next start."""

    def __init__(
        self, model: ChatModel, state: State, bell: Bell, clock: Callable[[], float]
    ) -> None:
        self._model = model
        self._state = state
        self._bell = bell
        self._clock = clock
        self._live: dict[str, _Live] = {}

    def start(self, run: Run) -> None:
        live = self._live[run.id] = _Live()
        live.task = asyncio.create_task(self._answer(run, live), name=f"model run {run.id}")
        if len(self._live) > _KEPT:
            oldest = next((k for k, v in self._live.items() if v.task and v.task.done()), None)
            self._live.pop(oldest or "", None)

    def beats(self, run_id: str) -> list[Beat] | None:
        """The growing list of a run's beats; None for a run of another engine or process."""
        live = self._live.get(run_id)
        return None if live is None else live.beats

    def stop(self, run_id: str) -> None:
        live = self._live.get(run_id)
        if live is not None and live.task is not None:
            live.task.cancel()

    async def close(self) -> None:
        tasks = [live.task for live in self._live.values() if live.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, run: Run, live: _Live) -> None:
        agent = catalogue.find(run.agent_id)
        assert agent is not None  # noqa: S101  a run starts for known agents only
        text, error = "", None
        self._beat(run, live, Kind.OPENS)
        try:
            user = without_markers(run.prompt)
            async for piece in self._model.stream(system=agent.system_prompt, user=user):
                text += piece
                self._beat(run, live, Kind.TEXT, piece)
        except ModelError as failure:
            error = str(failure)
        except Exception:  # noqa: BLE001  a run without an end would hang whoever follows it
            _log.exception("model run %s", run.id)
            error = "the answer of the model could not be read"
        if text.strip() and error is None:
            ending = Ending.ANSWER
            live.beats.append(Beat(self._clock(), Kind.CLOSES, Turn(1, text)))
        else:
            ending = Ending.EMPTY if error is None else Ending.FAIL
        at = self._clock()
        store.end_model_run(
            self._state, run.id, at=at, ending=ending, text=text or None, error=error
        )
        self._bell.ring(run.id)

    def _beat(self, run: Run, live: _Live, kind: Kind, text: str = "") -> None:
        live.beats.append(Beat(self._clock(), kind, Turn(1, ""), text))
        self._bell.ring(run.id)
