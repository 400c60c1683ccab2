"""Webhooks: the user's own endpoints, which are told when executions end."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from renum.models import Answer, Pagination
from renum.resources.base import LARGEST_PAGE, Resource, pages, part


class Webhook(Answer):
    """An endpoint, without the secret that signs what it is sent."""

    id: str
    url: str
    description: str = ""
    events: list[str]
    enabled: bool
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(Webhook):
    """The one time that the secret is shown."""

    secret: str


class WebhookPage(Answer):
    webhooks: list[Webhook]
    pagination: Pagination


class Attempt(Answer):
    """One try to deliver; `error` is None when it was accepted."""

    at: datetime
    duration_ms: int
    status_code: int | None = None
    error: str | None = None
    response: str | None = None


class Delivery(Answer):
    """One message to one endpoint, and the latest attempts, oldest first."""

    id: str
    webhook_id: str
    type: str
    status: str
    created_at: datetime
    next_attempt_at: datetime | None = None
    completed_at: datetime | None = None
    attempts: list[Attempt] = Field(default_factory=list)


class DeliveryWithBody(Delivery):
    """`body` is what is sent, byte for byte."""

    body: str


class DeliveryPage(Answer):
    deliveries: list[Delivery]
    pagination: Pagination


class Webhooks(Resource):
    """The user's webhooks. What changes one is sent once."""

    async def list(self, *, page: int = 1, limit: int = 10) -> WebhookPage:
        """One page of them, newest first."""
        params = {"page": page, "limit": limit}
        return await self._ask(WebhookPage, "GET", "webhooks", params=params)

    async def all(self) -> AsyncIterator[Webhook]:
        """Every webhook; one request per 100."""
        async for page in pages(lambda number: self.list(page=number, limit=LARGEST_PAGE)):
            for webhook in page.webhooks:
                yield webhook

    async def create(
        self, url: str, *, description: str = "", events: Sequence[str] | None = None
    ) -> WebhookWithSecret:
        """`events` None means all kinds."""
        body: dict[str, Any] = {"url": url, "description": description}
        if events is not None:
            body["events"] = [*events]
        return await self._ask(WebhookWithSecret, "POST", "webhooks", json=body)

    async def get(self, webhook_id: str) -> Webhook:
        """Raises NotFound where there is none of this user."""
        return await self._ask(Webhook, "GET", f"webhooks/{part(webhook_id)}")

    async def update(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        description: str | None = None,
        events: Sequence[str] | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """None leaves a field as it is; `enabled=True` also forgets past failures."""
        fields = {
            "url": url,
            "description": description,
            "events": None if events is None else [*events],
            "enabled": enabled,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        return await self._ask(Webhook, "PUT", f"webhooks/{part(webhook_id)}", json=body)

    async def delete(self, webhook_id: str) -> None:
        """Nothing is sent to it any more."""
        await self._session.send("DELETE", f"webhooks/{part(webhook_id)}")

    async def rotate_secret(self, webhook_id: str) -> WebhookWithSecret:
        """A new secret; the server says how long the old one still signs too."""
        path = f"webhooks/{part(webhook_id)}/rotate-secret"
        return await self._ask(WebhookWithSecret, "POST", path)

    async def test(self, webhook_id: str) -> DeliveryWithBody:
        """Send it a message that means nothing."""
        return await self._ask(DeliveryWithBody, "POST", f"webhooks/{part(webhook_id)}/test")

    async def deliveries(
        self, webhook_id: str, *, status: str | None = None, page: int = 1, limit: int = 10
    ) -> DeliveryPage:
        """What was and will be sent to it, newest first."""
        params = {"status": status, "page": page, "limit": limit}
        path = f"webhooks/{part(webhook_id)}/deliveries"
        return await self._ask(DeliveryPage, "GET", path, params=params)

    async def delivery(self, webhook_id: str, delivery_id: str) -> DeliveryWithBody:
        """One of its deliveries, with its body."""
        path = f"webhooks/{part(webhook_id)}/deliveries/{part(delivery_id)}"
        return await self._ask(DeliveryWithBody, "GET", path)

    async def redeliver(self, webhook_id: str, delivery_id: str) -> DeliveryWithBody:
        """Send the same message again."""
        path = f"webhooks/{part(webhook_id)}/deliveries/{part(delivery_id)}/redeliver"
        return await self._ask(DeliveryWithBody, "POST", path)
