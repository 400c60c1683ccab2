"""
What one process counts, in Prometheus' words.

Every process has a registry of its own and is scraped by itself, so sums over processes are right
without files that processes share. What only the database knows is not counted here: see
`app.api.metrics`.
"""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.process_collector import ProcessCollector

from app import __version__
from app.domain.events import AgentCompleted, AgentStarted, Event, ExecutionStatusUpdate
from app.domain.progress import ExecutionStatus
from app.domain.results import AgentStatus

#: Seconds. Agents work for minutes, some for hours.
_LONG = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

#: The route of a request that no route is for: paths that callers make up are no labels.
UNMATCHED = "unmatched"


class Metrics:
    """Counters and histograms of this process."""

    def __init__(self) -> None:
        # A second series beside each, which nothing here asks for; the library has one switch.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Info("renum_build", "The version that runs.", registry=self.registry)
        build.info({"version": __version__})
        self._requests = Counter(
            "renum_http_requests",
            "Requests answered, by route template.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_s = self._histogram(
            "renum_http_request_duration_seconds",
            "From a request to the end of its answer; of an event stream, to its beginning.",
            ["method", "route"],
            _REQUEST,
        )
        self._execution_s = self._histogram(
            "renum_execution_duration_seconds",
            "Executions that ended, from their start.",
            ["status"],
            _LONG,
        )
        self._step_s = self._histogram(
            "renum_step_duration_seconds",
            "Steps that ended, from their first attempt; waits for Suna left out.",
            ["status"],
            _LONG,
        )
        self._attempts = Counter(
            "renum_step_attempts",
            "Attempts of steps begun; above the steps that ended, they are retries.",
            registry=self.registry,
        )
        self._lag = self._histogram(
            "renum_event_delivery_lag_seconds",
            "From the change that an event tells to its handing to the connections of its user.",
            [],
            _LAG,
        )
        # There from the start, so that the first failure is a rise and not a beginning.
        for status in ExecutionStatus:
            if status.is_final:
                self._execution_s.labels(status)
        for step_status in AgentStatus:
            if step_status.is_final:
                self._step_s.labels(step_status)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; *route* is a template or `UNMATCHED`."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, status).inc()
        self._request_s.labels(method, route).observe(seconds)

    def committed(self, events: Iterable[Event]) -> None:
        """Changes that this process has stored; each is told once, by whoever stored it."""
        for event in events:
            match event:
                case AgentStarted():
                    self._attempts.inc()
                case AgentCompleted(reused=False):
                    seconds = event.execution_time_ms / 1000
                    self._step_s.labels(event.status).observe(seconds)
                case ExecutionStatusUpdate() if event.completed_at is not None:
                    lasted = event.completed_at - event.started_at
                    self._execution_s.labels(event.status).observe(lasted.total_seconds())

    def delivered(self, lag_s: float) -> None:
        """An event was handed to whoever watches."""
        self._lag.observe(lag_s)

    def _histogram(
        self, name: str, what: str, labels: list[str], buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(name, what, labels, buckets=buckets, registry=self.registry)
