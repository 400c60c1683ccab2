"""What can become of an attempt at an agent, besides its answer."""

from dataclasses import dataclass
from datetime import timedelta

from app.domain.agents import Answer
from app.domain.errors import RenumError
from app.domain.retry import Failure


@dataclass(frozen=True, slots=True)
class Wait:
    """Suna surely did not start the agent: the attempt goes on later."""

    failure: Failure
    first_s: float
    last_s: float
    asked_s: float | None

    def delay_s(self, waited: timedelta) -> float:
        """Half of what was waited so far, within the bounds; at least what Suna asked for."""
        return max(
            min(self.last_s, max(self.first_s, waited.total_seconds() / 2)), self.asked_s or 0.0
        )


@dataclass(frozen=True, slots=True)
class StillRuns:
    """We stop waiting for an agent that still runs."""

    failure: Failure


Outcome = Answer | Failure | Wait | StillRuns


def failure_of(
    error: RenumError, *, retryable: bool = False, retry_after_s: float | None = None
) -> Failure:
    """An error as the agent's owner sees it."""
    return Failure(
        code=error.code, message=str(error), retryable=retryable, retry_after_s=retry_after_s
    )
