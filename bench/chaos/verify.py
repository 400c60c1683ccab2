"""What became of every execution, by the rows, the event log and the sandbox's own count."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2
import psycopg
from psycopg.rows import dict_row

from bench.chaos.load import Submitted

FINAL = ("completed", "failed", "cancelled")
_STEP_FINAL = (*FINAL, "skipped")
Row = dict[str, Any]


@dataclass
class Verdict:
    """Violations by kind; empty lists are what is required."""

    statuses: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    rerun: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    unstopped: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    starts: int = 0
    repaired: list[str] = field(default_factory=list)

    @property
    def violations(self) -> dict[str, list[str]]:
        return {
            "lost": self.lost,
            "stuck": self.stuck,
            "finished agents re-run": self.rerun,
            "double starts": self.double,
            "event log errors": self.log,
            "cancelled, still running at Suna": self.unstopped,
            "repaired by the invariant check": self.repaired,
            "slow take-overs": self.slow,
        }


def unfinished(database_url: str) -> int:
    with psycopg.connect(database_url, autocommit=True) as db:
        row = db.execute(
            """
            SELECT (SELECT count(*) FROM renum.executions
                     WHERE status IN ('pending', 'running'))
                 + (SELECT count(*) FROM renum.agent_results WHERE remote_stop = 'pending')
            """
        ).fetchone()
    return row[0] if row else 0


def verify(database_url: str, sandbox_url: str, submitted: Submitted) -> Verdict:
    """Look at everything once it stands still."""
    starts: dict[tuple[str, str], list[Row]] = defaultdict(list)
    found = httpx2.get(f"{sandbox_url}/sandbox/starts", timeout=60, trust_env=False).json()
    for start in found["starts"]:
        starts[_word(start["prompt"]), start["agent_id"]].append(start)
    verdict = Verdict(starts=len(found["starts"]))
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as db:
        executions = {str(row["id"]): row for row in db.execute("SELECT * FROM renum.executions")}
        results: dict[str, list[Row]] = defaultdict(list)
        for row in db.execute("SELECT * FROM renum.agent_results ORDER BY position"):
            results[str(row["execution_id"])].append(row)
        _check_log(db, executions, results, verdict)
    verdict.lost = [f"{w}: {i}" for w, i in submitted.acknowledged.items() if i not in executions]
    for execution_id, execution in executions.items():
        verdict.statuses[execution["status"]] += 1
        if execution["repairs"]:
            verdict.repaired.append(f"{execution_id}: {execution['repairs']} times")
        if execution["status"] not in FINAL:
            verdict.stuck.append(f"{execution_id} is {execution['status']}")
        word = _word(execution["input"]["prompt"])
        for result in results[execution_id]:
            check_starts(
                f"{execution_id} {result['key']}",
                result,
                starts.pop((word, str(result["agent_id"])), []),
                verdict,
            )
    verdict.double += [f"{key}: started for no step" for key in starts]
    return verdict


def check_starts(name: str, result: Row, starts: list[Row], verdict: Verdict) -> None:
    """Add to the verdict what the runs that the sandbox counted for one step say against it."""
    told = f"{name} ({result['status']}, attempts {result['attempts']}): " + ", ".join(
        f"{s['started_at']} {s['status']}" for s in starts
    )
    # An attempt is only repeated when the run before it failed.
    unfailed = sum(s["status"] in ("completed", "running") for s in starts)
    if len(starts) > result["attempts"] or unfailed > 1:
        verdict.double.append(told)
    completed_at = result["completed_at"]
    # A start that was under way when its step was cancelled may reach a Suna that is late only
    # afterwards. That is what the receipt is for; starts beyond the attempts are counted above.
    was_under_way = result["remote_stop"] == "confirmed"
    if (
        completed_at
        and not was_under_way
        and any(_time(s["started_at"]) > completed_at for s in starts)
    ):
        verdict.rerun.append(f"{told}; ended {completed_at}")
    if result["status"] in _STEP_FINAL and any(s["status"] == "running" for s in starts):
        verdict.unstopped.append(f"{told}; remote_stop {result['remote_stop']}")


def _check_log(
    db: psycopg.Connection[Row],
    executions: dict[str, Row],
    results: dict[str, list[Row]],
    verdict: Verdict,
) -> None:
    """Ids and numbers without a gap, and the story of the events is that of the rows."""
    for row in db.execute(
        """
        SELECT h.user_id, h.last_id, count(e.id) AS n, max(e.id) AS top
          FROM renum.event_heads h LEFT JOIN renum.events e USING (user_id)
         GROUP BY h.user_id, h.last_id
        """
    ):
        if not row["last_id"] == row["n"] == (row["top"] or 0):
            verdict.log.append(f"ids of user {row['user_id']}: {row}")
    seqs: dict[str, list[int]] = defaultdict(list)
    status: dict[str, str] = {}
    ends: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in db.execute("SELECT type, execution_id, data FROM renum.events ORDER BY user_id, id"):
        execution_id = str(row["execution_id"])
        data = row["data"] if isinstance(row["data"], dict) else json.loads(row["data"])
        if "seq" in data:
            seqs[execution_id].append(data["seq"])
        if row["type"] == "execution_status_update":
            status[execution_id] = data["status"]
        elif row["type"] == "agent_completed":
            ends[execution_id].append((data["key"], data["status"]))
    for execution_id, execution in executions.items():
        told = seqs[execution_id]
        if told != list(range(1, execution["seq"] + 1)):
            verdict.log.append(f"{execution_id}: numbers {told}, row says {execution['seq']}")
        if status.get(execution_id) != execution["status"]:
            verdict.log.append(f"{execution_id}: told {status.get(execution_id)}")
        ended = [
            (r["key"], r["status"]) for r in results[execution_id] if r["status"] in _STEP_FINAL
        ]
        if sorted(ends[execution_id]) != sorted(ended):
            verdict.log.append(f"{execution_id}: told {ends[execution_id]}, rows say {ended}")


def _word(prompt: str) -> str:
    """The unique word of an execution, wherever in an input it stands."""
    at = prompt.find("chaos-")
    return prompt[at : at + 11] if at >= 0 else prompt[:40]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
