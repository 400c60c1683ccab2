"""What a process tells about itself: numbers and traces; what it tells in words is `logging`."""

from dataclasses import dataclass

from app.core.metrics import Metrics
from app.core.settings import Settings
from app.core.tracing import Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Made once per process, and handed to whatever has something to tell."""

    metrics: Metrics
    tracing: Tracing

    @classmethod
    def of(cls, settings: Settings) -> "Telemetry":
        """Raises ConfigurationError."""
        return cls(metrics=Metrics(), tracing=Tracing.of(settings))
