"""How much may go on at once; see the settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SunaLimit:
    """Agents at work at Suna at once: in all, or `per_user` where each user has an account."""

    runs: int
    per_user: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Per user: executions that run at once, and that may wait."""

    running: int
    queued: int
    #: Seconds that the templates of one preview may take together; others want to see theirs.
    preview_s: float = 15.0
    #: None where Suna itself does the counting.
    suna: SunaLimit | None = None
