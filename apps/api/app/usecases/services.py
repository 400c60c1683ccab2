"""Everything a request may need, joined once at start by `app.bootstrap`."""

from dataclasses import dataclass

from app.usecases.limits import Limits
from app.usecases.ports import (
    Clock,
    Database,
    IdentityProvider,
    LiveOutput,
    LiveStream,
    NewId,
    RateLimits,
    Reachable,
    Suna,
    Templates,
    TokenVerifier,
    WebhookSender,
)
from app.usecases.retention import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The ports with their adapters behind them."""

    db: Database
    suna: Suna
    templates: Templates
    #: None where PostgreSQL rings the doorbell.
    redis: Reachable | None
    identity: IdentityProvider
    tokens: TokenVerifier
    rates: RateLimits
    live: LiveStream
    output: LiveOutput
    webhooks: WebhookSender
    limits: Limits
    kept: Kept
    clock: Clock
    new_id: NewId
