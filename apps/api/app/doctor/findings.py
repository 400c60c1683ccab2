"""What the doctor says of one thing."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.core.logging import redacted


class Outcome(StrEnum):
    """From the best to the worst."""

    OK = "ok"
    #: Not there, and not needed.
    SKIPPED = "skipped"
    #: Works, but not as well or as safely as it could.
    WARNING = "warning"
    #: Renum does not work like this.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` is a stable name; `advice` says what to do where there is something to do."""

    check: str
    outcome: Outcome
    detail: str
    advice: str | None = None

    def __post_init__(self) -> None:
        # Addresses may hold passwords, and what others say of an error anything.
        object.__setattr__(self, "detail", redacted(self.detail))


def ok(check: str, detail: str) -> Finding:
    return Finding(check, Outcome.OK, detail)


def skipped(check: str, detail: str) -> Finding:
    return Finding(check, Outcome.SKIPPED, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    return Finding(check, Outcome.WARNING, detail, advice)


def failed(check: str, detail: str, advice: str) -> Finding:
    return Finding(check, Outcome.FAILED, detail, advice)


def worst(findings: Iterable[Finding]) -> Outcome:
    """What to say of all of them together: ok, warning or failed."""
    found = {f.outcome for f in findings}
    return next((o for o in (Outcome.FAILED, Outcome.WARNING) if o in found), Outcome.OK)
