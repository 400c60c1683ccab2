"""
Webhooks: a user's HTTP endpoints that are told when executions end.

The format of messages, signatures and retries is that of Standard Webhooks 1.0.0
(https://github.com/standard-webhooks/standard-webhooks).
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from app.domain.deliveries import Attempt, WebhookMessage
from app.domain.errors import Conflict, LimitReached, NotFound
from app.domain.notifications import Notification, NotificationType

MAX_WEBHOOKS = 10
#: The secret that is being replaced goes on signing for so long.
ROTATION = timedelta(hours=24)
#: An endpoint that has accepted nothing for so long is switched off.
GIVEN_UP_AFTER = timedelta(days=5)
#: What every secret begins with.
MARK = "whsec_"
_SECRET_BYTES = 32


class WebhookEvent(StrEnum):
    """What an endpoint may be told."""

    EXECUTION_COMPLETED = "execution.completed"
    EXECUTION_FAILED = "execution.failed"
    EXECUTION_CANCELLED = "execution.cancelled"


#: The type of a message that is sent on request only.
TEST = "webhook.test"


class DisabledReason(StrEnum):
    """Why an endpoint is told nothing."""

    #: Its owner switched it off.
    OWNER = "owner"
    #: It answered 410.
    GONE = "gone"
    #: It accepted nothing for days.
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One endpoint of a user."""

    id: UUID
    user_id: UUID
    url: str
    description: str
    events: frozenset[WebhookEvent]
    #: None while it is told what happens.
    disabled_reason: DisabledReason | None
    created_at: datetime
    updated_at: datetime
    #: Since when no attempt was accepted; None after one that was.
    failing_since: datetime | None
    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None

    @property
    def enabled(self) -> bool:
        return self.disabled_reason is None

    def changed(
        self,
        *,
        url: str | None,
        description: str | None,
        events: frozenset[WebhookEvent] | None,
        enabled: bool | None,
        now: datetime,
    ) -> Self:
        """With what is given; switching it on, or another address, forgets past failures."""
        fresh = enabled is True or (url is not None and url != self.url)
        disabled = self.disabled_reason
        if enabled is not None:
            disabled = None if enabled else self.disabled_reason or DisabledReason.OWNER
        return replace(
            self,
            url=self.url if url is None else url,
            description=self.description if description is None else description,
            events=self.events if events is None else events,
            disabled_reason=disabled,
            failing_since=None if fresh else self.failing_since,
            updated_at=now,
        )

    def rotated(self, now: datetime) -> Self:
        """With a new secret; the one before signs too, for a day."""
        return replace(
            self,
            secret=fresh_secret(),
            previous_secret=self.secret,
            previous_until=now + ROTATION,
            updated_at=now,
        )

    def heard(self, attempt: Attempt) -> Self:
        """What an attempt says about the endpoint; it may be switched off by it."""
        if not self.enabled:
            return self
        if attempt.error is None:
            return replace(self, failing_since=None)
        since = self.failing_since or attempt.at
        disabled = None
        if attempt.gone:
            disabled = DisabledReason.GONE
        elif attempt.at - since >= GIVEN_UP_AFTER:
            disabled = DisabledReason.FAILING
        return replace(self, failing_since=since, disabled_reason=disabled)

    def signature(self, delivery_id: UUID, at: datetime, body: str) -> str:
        """The value of `webhook-signature`: one signature by each secret that holds."""
        signed = f"{delivery_id}.{int(at.timestamp())}.{body}".encode()
        keys = [self.secret]
        if self.previous_secret and self.previous_until and at < self.previous_until:
            keys.append(self.previous_secret)
        return " ".join(
            "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
            for key in keys
        )


def fresh_secret() -> bytes:
    return secrets.token_bytes(_SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """A secret as it is shown, once."""
    return MARK + base64.b64encode(secret).decode()


def trial(webhook: Webhook, *, id: UUID, now: datetime) -> WebhookMessage:  # noqa: A002
    """What is told on request, to try an endpoint out."""
    message = "Renum reaches this endpoint."
    data = {"webhook_id": webhook.id, "message": message}
    return WebhookMessage(id=id, type=TEST, timestamp=now, data=data)


def switched_off(webhook: Webhook, *, id: UUID, now: datetime) -> Notification:  # noqa: A002
    """What the owner of an endpoint is told when nothing is sent to it any more."""
    why = {
        DisabledReason.GONE: "it answered 410 Gone",
        DisabledReason.FAILING: f"it accepted nothing for {GIVEN_UP_AFTER.days} days",
    }
    assert webhook.disabled_reason in why  # noqa: S101  its owner knows what they did
    return Notification(
        id=id,
        user_id=webhook.user_id,
        type=NotificationType.WEBHOOK_DISABLED,
        title="Webhook switched off",
        message=f"Nothing is sent to {webhook.url} any more: {why[webhook.disabled_reason]}",
        read=False,
        created_at=now,
        data={"webhook_id": webhook.id},
    )


class WebhookNotFound(NotFound):
    """No such webhook of this user."""

    code = "webhook_not_found"
    title = "Webhook not found"

    def __init__(self, webhook_id: UUID) -> None:
        super().__init__(f"There is no webhook {webhook_id}.")


class WebhookDisabled(Conflict):
    """The webhook is switched off; switch it on to send something to it."""

    code = "webhook_disabled"
    title = "Webhook is switched off"


class TooManyWebhooks(LimitReached):
    """A user has as many webhooks as one may have; delete one that is not used."""

    code = "too_many_webhooks"
    title = "Too many webhooks"
