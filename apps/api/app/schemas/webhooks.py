"""Webhooks and their deliveries as they are asked for and answered."""

import json
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from app.domain.deliveries import DeliveryStatus
from app.domain.webhooks import DisabledReason, WebhookEvent
from app.schemas.base import Answer, InOrder, Request
from app.schemas.paging import Pagination

Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    Field(description="https, on the public internet.", examples=["https://example.com/renum"]),
]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Events = Annotated[list[WebhookEvent], Field(min_length=1, max_length=len(WebhookEvent))]


class CreateWebhook(Request):
    url: Url
    description: Description = ""
    events: Events = Field(list(WebhookEvent), description="All, when left out.")


class UpdateWebhook(Request):
    """What is left out stays as it is."""

    url: Url | None = None
    description: Description | None = None
    events: Events | None = None
    enabled: bool | None = Field(
        None, strict=True, description="`true` switches it on again, and forgets past failures."
    )


class WebhookAnswer(Answer):
    id: UUID
    url: str
    description: str
    events: Annotated[list[WebhookEvent], InOrder]
    enabled: bool
    disabled_reason: DisabledReason | None = Field(
        description="`owner`: switched off by request. `gone`: it answered 410. `failing`: it "
        "accepted nothing for 5 days.",
    )
    failing_since: datetime | None = Field(
        description="Since when no attempt was accepted; null after one that was."
    )
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(WebhookAnswer):
    """The one time that the secret is shown."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class WebhooksAnswer(Answer):
    webhooks: list[WebhookAnswer]
    pagination: Pagination


class AttemptAnswer(Answer):
    at: datetime
    duration_ms: int
    status_code: int | None = Field(description="Null where no answer came.")
    error: str | None = Field(description="Why it does not count; null when it was accepted.")
    response: str | None = Field(description="How the answer's body begins: 1,000 bytes at most.")


class DeliveryAnswer(Answer):
    id: UUID = Field(description="The message's: the header `webhook-id`.")
    webhook_id: UUID
    type: str = Field(examples=["execution.completed"])
    status: DeliveryStatus
    created_at: datetime
    next_attempt_at: datetime | None
    completed_at: datetime | None
    attempts: list[AttemptAnswer] = Field(description="The latest 20, oldest first.")


class DeliveryWithBody(DeliveryAnswer):
    body: str = Field(
        description="What is sent, byte for byte.",
        examples=[json.dumps({"type": "execution.completed", "timestamp": "...", "data": {}})],
    )


class DeliveriesAnswer(Answer):
    deliveries: list[DeliveryAnswer]
    pagination: Pagination
