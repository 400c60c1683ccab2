"""Webhooks as their owner makes them and looks after them."""

from uuid import UUID

from app.common.paging import Page, Paged
from app.domain.deliveries import Delivery, DeliveryStatus
from app.domain.errors import Invalid, Problem
from app.domain.webhooks import (
    MAX_WEBHOOKS,
    TooManyWebhooks,
    Webhook,
    WebhookDisabled,
    WebhookEvent,
    fresh_secret,
    trial,
)
from app.usecases.ports import Clock, Database, NewId, Transaction, WebhookSender


async def create_webhook(
    db: Database,
    sender: WebhookSender,
    new_id: NewId,
    clock: Clock,
    *,
    user_id: UUID,
    url: str,
    description: str,
    events: frozenset[WebhookEvent],
) -> Webhook:
    """Raises TooManyWebhooks, Invalid."""
    _check_url(sender, url)
    now = clock()
    webhook = Webhook(
        id=new_id(),
        user_id=user_id,
        url=url,
        description=description,
        events=events,
        disabled_reason=None,
        created_at=now,
        updated_at=now,
        failing_since=None,
        secret=fresh_secret(),
        previous_secret=None,
        previous_until=None,
    )
    async with db.transaction() as tx:
        await tx.events.lock(user_id)
        if await tx.webhooks.count(user_id) >= MAX_WEBHOOKS:
            raise TooManyWebhooks(f"You have {MAX_WEBHOOKS} webhooks already; delete one of them.")
        await tx.webhooks.add(webhook)
    return webhook


async def list_webhooks(db: Database, page: Page, *, user_id: UUID) -> Paged[Webhook]:
    """Newest first."""
    async with db.autocommit() as tx:
        return await tx.webhooks.page(page, user_id=user_id)


async def get_webhook(db: Database, webhook_id: UUID, *, user_id: UUID) -> Webhook:
    """Raises WebhookNotFound."""
    async with db.autocommit() as tx:
        return await tx.webhooks.get(webhook_id, user_id=user_id)


async def update_webhook(
    db: Database,
    sender: WebhookSender,
    clock: Clock,
    webhook_id: UUID,
    *,
    user_id: UUID,
    url: str | None,
    description: str | None,
    events: frozenset[WebhookEvent] | None,
    enabled: bool | None,
) -> Webhook:
    """Change what is given. Raises WebhookNotFound, Invalid."""
    if url is not None:
        _check_url(sender, url)
    async with db.transaction() as tx:
        webhook = await _locked(tx, webhook_id, user_id=user_id)
        webhook = webhook.changed(
            url=url, description=description, events=events, enabled=enabled, now=clock()
        )
        await tx.webhooks.save(webhook)
    return webhook


async def rotate_secret(db: Database, clock: Clock, webhook_id: UUID, *, user_id: UUID) -> Webhook:
    """A new secret; the one before signs beside it for a day. Raises WebhookNotFound."""
    async with db.transaction() as tx:
        webhook = (await _locked(tx, webhook_id, user_id=user_id)).rotated(clock())
        await tx.webhooks.save(webhook)
    return webhook


async def delete_webhook(db: Database, webhook_id: UUID, *, user_id: UUID) -> None:
    """With its deliveries, also those that are still to be attempted. Raises WebhookNotFound."""
    async with db.transaction() as tx:
        await _locked(tx, webhook_id, user_id=user_id)
        await tx.webhooks.delete(webhook_id)


async def try_webhook(
    db: Database, new_id: NewId, clock: Clock, webhook_id: UUID, *, user_id: UUID
) -> Delivery:
    """Send it a message to try it out. Raises WebhookNotFound, WebhookDisabled."""
    now = clock()
    async with db.transaction() as tx:
        webhook = await _enabled(tx, webhook_id, user_id=user_id)
        message = trial(webhook, id=new_id(), now=now)
        delivery = Delivery.of(message, webhook_id=webhook.id, user_id=user_id, now=now)
        await tx.webhooks.add_delivery(delivery)
        await tx.jobs.deliver(delivery)
    return delivery


async def list_deliveries(
    db: Database, page: Page, webhook_id: UUID, *, user_id: UUID, status: DeliveryStatus | None
) -> Paged[Delivery]:
    """Newest first. Raises WebhookNotFound."""
    async with db.autocommit() as tx:
        await tx.webhooks.get(webhook_id, user_id=user_id)
        return await tx.webhooks.deliveries(page, webhook_id, user_id=user_id, status=status)


async def get_delivery(
    db: Database, webhook_id: UUID, delivery_id: UUID, *, user_id: UUID
) -> Delivery:
    """Raises WebhookNotFound, DeliveryNotFound."""
    async with db.autocommit() as tx:
        await tx.webhooks.get(webhook_id, user_id=user_id)
        return await tx.webhooks.delivery(webhook_id, delivery_id, user_id=user_id)


async def redeliver(
    db: Database, clock: Clock, webhook_id: UUID, delivery_id: UUID, *, user_id: UUID
) -> Delivery:
    """
    Send it now, whatever became of it before; the message keeps its id and its bytes.

    Raises WebhookNotFound, DeliveryNotFound, WebhookDisabled.
    """
    async with db.transaction() as tx:
        await _enabled(tx, webhook_id, user_id=user_id)
        delivery = await tx.webhooks.delivery(webhook_id, delivery_id, user_id=user_id)
        delivery = delivery.again(clock())
        await tx.webhooks.save_delivery(delivery)
        await tx.jobs.deliver(delivery)
    return delivery


async def _locked(tx: Transaction, webhook_id: UUID, *, user_id: UUID) -> Webhook:
    await tx.events.lock(user_id)
    return await tx.webhooks.get(webhook_id, user_id=user_id)


async def _enabled(tx: Transaction, webhook_id: UUID, *, user_id: UUID) -> Webhook:
    webhook = await _locked(tx, webhook_id, user_id=user_id)
    if not webhook.enabled:
        raise WebhookDisabled("The webhook is switched off; switch it on first.")
    return webhook


def _check_url(sender: WebhookSender, url: str) -> None:
    if refusal := sender.refusal(url):
        place = Problem(("url",), "not_a_webhook_url", refusal)
        raise Invalid(f"Not acceptable: url {refusal}.", [place])
