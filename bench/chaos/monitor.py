"""Who holds which job, looked at five times a second: how long a take-over takes."""

import asyncio
import time
from dataclasses import dataclass

import psycopg

_LOOK_S = 0.2
_QUERY = """
SELECT j.id, j.args ->> 'execution_id' AS execution, j.worker_id,
       extract(epoch FROM w.last_heartbeat)::float8 AS beat
  FROM renum.procrastinate_jobs j LEFT JOIN renum.procrastinate_workers w ON w.id = j.worker_id
 WHERE j.task_name = 'drive_execution' AND j.status IN ('doing', 'todo')
"""


@dataclass(frozen=True, slots=True)
class Look:
    at: float
    #: Of every job: its worker and that one's last heartbeat; None while it waits.
    jobs: dict[int, tuple[int | None, float | None]]


class Monitor:
    def __init__(self, url: str) -> None:
        self._url = url
        self.looks: list[Look] = []

    async def run(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True
                ) as connection:
                    while True:
                        rows = await (await connection.execute(_QUERY)).fetchall()
                        jobs = {row[0]: (row[2], row[3]) for row in rows}
                        self.looks.append(Look(time.time(), jobs))
                        await asyncio.sleep(_LOOK_S)
            except psycopg.Error:
                await asyncio.sleep(_LOOK_S)

    def takeovers(self, deaths: list[float]) -> list[float]:
        """
        Seconds from a death to the moment when each job of the dead was held by another worker
        or was done.

        Whose jobs they were is seen by their heart: it beats every second until the death, and
        never after it.
        """
        found = []
        for died_at in deaths:
            before = [look for look in self.looks if died_at - 2 < look.at <= died_at]
            after = [look for look in self.looks if look.at > died_at]
            if not before or not after:
                continue
            beats = self._last_beats(after)
            dead = {
                worker
                for worker, beat in before[-1].jobs.values()
                if worker is not None and beats.get(worker, beat or 0) <= died_at
            }
            for job, (worker, _) in before[-1].jobs.items():
                if worker in dead:
                    found.append(self._free_of(job, worker, after) - died_at)
        return found

    def _last_beats(self, looks: list[Look]) -> dict[int, float]:
        beats: dict[int, float] = {}
        for look in looks:
            for worker, beat in look.jobs.values():
                if worker is not None and beat is not None:
                    beats[worker] = max(beat, beats.get(worker, 0))
        return beats

    def _free_of(self, job: int, worker: int, looks: list[Look]) -> float:
        for look in looks:
            held_by = look.jobs.get(job, (-1, None))[0]
            if held_by is not None and held_by != worker:
                return look.at
        return looks[-1].at
