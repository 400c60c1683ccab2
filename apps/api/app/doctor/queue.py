"""The queue: somebody works on it, and nothing stands still."""

from app.core.settings import Settings
from app.doctor.findings import Finding, failed, ok, warning
from app.infra.db.connection import Connection
from app.infra.db.jobs import JobStore

#: Workers look for jobs every second.
_OLD_S = 60.0


async def queue_findings(settings: Settings, connection: Connection) -> list[Finding]:
    """*connection* has the schema, and may read it."""
    jobs = JobStore(connection)
    depth = await jobs.depth()
    backlogs = await jobs.backlogs()
    stuck = await jobs.stuck(running_limit=settings.max_concurrent_executions)
    waiting = sum(b.pending for b in backlogs)
    findings = [_workers(depth.workers, waiting)]
    old = [b for b in backlogs if b.oldest_due_s > _OLD_S]
    if depth.workers and old:
        names = ", ".join(f"{b.queue} for {b.oldest_due_s:.0f} s" for b in old)
        findings.append(
            failed(
                "queue.age",
                f"jobs that are due wait: {names}",
                "start more workers (renum-api worker), or raise WORKER_CONCURRENCY",
            )
        )
    if stuck:
        findings.append(
            failed(
                "queue.stuck",
                f"nothing moves {len(stuck)} executions, such as {stuck[0].execution_id}",
                "start a worker: it repairs them within 15 s; if it does not, read its log",
            )
        )
    return findings


def _workers(alive: int, waiting: int) -> Finding:
    advice = "start one: renum-api serve, or renum-api worker"
    if alive:
        # A process has one for each of the queues.
        return ok("queue.workers", f"{alive} alive, {waiting} jobs wait")
    if waiting:
        return failed("queue.workers", f"none is alive, and {waiting} jobs wait", advice)
    return warning("queue.workers", "none is alive", advice)
