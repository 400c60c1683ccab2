"""What a process tells about itself: numbers."""

from dataclasses import dataclass, field

from app.core.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Made once per process, and handed to whatever has something to tell."""

    metrics: Metrics = field(default_factory=Metrics)
