"""Everything a request may need, joined once at start by `app.bootstrap`."""

from dataclasses import dataclass

from app.usecases.ports import (
    AgentDirectory,
    AgentRuntime,
    Clock,
    Database,
    IdentityProvider,
    LiveOutput,
    LiveStream,
    NewId,
    Reachable,
    Templates,
    TokenVerifier,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Per user: executions that run at once, and that may wait."""

    running: int
    queued: int
    #: Seconds that the templates of one preview may take together; others want to see theirs.
    preview_s: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The ports with their adapters behind them."""

    db: Database
    agents: AgentDirectory
    runtime: AgentRuntime
    templates: Templates
    #: None where PostgreSQL rings the doorbell.
    redis: Reachable | None
    identity: IdentityProvider
    tokens: TokenVerifier
    live: LiveStream
    output: LiveOutput
    limits: Limits
    clock: Clock
    new_id: NewId
