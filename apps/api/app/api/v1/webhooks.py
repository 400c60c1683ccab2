"""Webhooks, told when executions end (additive; Standard Webhooks 1.0.0)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from app.api.deps import Call, PageQuery
from app.api.errors import problem
from app.api.section import Section
from app.domain.deliveries import Delivery, DeliveryNotFound, DeliveryStatus
from app.domain.errors import Invalid
from app.domain.webhooks import (
    TooManyWebhooks,
    Webhook,
    WebhookDisabled,
    WebhookNotFound,
    secret_text,
)
from app.schemas.paging import Pagination
from app.schemas.webhooks import (
    CreateWebhook,
    DeliveriesAnswer,
    DeliveryAnswer,
    DeliveryWithBody,
    UpdateWebhook,
    WebhookAnswer,
    WebhooksAnswer,
    WebhookWithSecret,
)
from app.usecases import webhooks

router = Section(prefix="/webhooks", tags=["Webhooks"])


@router.post(
    "",
    response_model=WebhookWithSecret,
    status_code=201,
    responses=problem(Invalid, TooManyWebhooks),
)
async def create_webhook(
    body: CreateWebhook,
    call: Call,
    request: Request,
    response: Response,
) -> WebhookWithSecret:
    """Have an endpoint told when executions end. Its secret is shown in this answer only."""
    made = await webhooks.create_webhook(
        call.services.db,
        call.services.webhooks,
        call.services.new_id,
        call.services.clock,
        user_id=call.user.id,
        url=body.url,
        description=body.description,
        events=frozenset(body.events),
    )
    location = request.app.url_path_for("get_webhook", webhook_id=made.id)
    response.headers["Location"] = str(location)
    return _with_secret(made, response)


@router.get("", response_model=WebhooksAnswer)
async def list_webhooks(call: Call, page: PageQuery) -> dict[str, object]:
    """List the caller's webhooks, newest first."""
    found = await webhooks.list_webhooks(call.services.db, page, user_id=call.user.id)
    return {"webhooks": found.items, "pagination": Pagination.of(page, found.total)}


@router.get("/{webhook_id}", response_model=WebhookAnswer, responses=problem(WebhookNotFound))
async def get_webhook(webhook_id: UUID, call: Call) -> Webhook:
    """Get a webhook."""
    return await webhooks.get_webhook(call.services.db, webhook_id, user_id=call.user.id)


@router.put(
    "/{webhook_id}", response_model=WebhookAnswer, responses=problem(WebhookNotFound, Invalid)
)
async def update_webhook(webhook_id: UUID, body: UpdateWebhook, call: Call) -> Webhook:
    """Change what is given; `enabled` switches it off and on."""
    return await webhooks.update_webhook(
        call.services.db,
        call.services.webhooks,
        call.services.clock,
        webhook_id,
        user_id=call.user.id,
        url=body.url,
        description=body.description,
        events=None if body.events is None else frozenset(body.events),
        enabled=body.enabled,
    )


@router.delete("/{webhook_id}", status_code=204, responses=problem(WebhookNotFound))
async def delete_webhook(webhook_id: UUID, call: Call) -> None:
    """Delete a webhook with its deliveries, also those still to be attempted."""
    await webhooks.delete_webhook(call.services.db, webhook_id, user_id=call.user.id)


@router.post(
    "/{webhook_id}/rotate-secret",
    response_model=WebhookWithSecret,
    responses=problem(WebhookNotFound),
)
async def rotate_webhook_secret(
    webhook_id: UUID, call: Call, response: Response
) -> WebhookWithSecret:
    """Get a new secret; for 24 hours the one before signs too."""
    rotated = await webhooks.rotate_secret(
        call.services.db, call.services.clock, webhook_id, user_id=call.user.id
    )
    return _with_secret(rotated, response)


@router.post(
    "/{webhook_id}/test",
    response_model=DeliveryWithBody,
    status_code=202,
    responses=problem(WebhookNotFound, WebhookDisabled),
)
async def test_webhook(webhook_id: UUID, call: Call) -> Delivery:
    """Send a message of type `webhook.test`; its delivery says what came of it."""
    return await webhooks.try_webhook(
        call.services.db,
        call.services.new_id,
        call.services.clock,
        webhook_id,
        user_id=call.user.id,
    )


@router.get(
    "/{webhook_id}/deliveries",
    response_model=DeliveriesAnswer,
    responses=problem(WebhookNotFound),
)
async def list_webhook_deliveries(
    webhook_id: UUID,
    call: Call,
    page: PageQuery,
    status: Annotated[DeliveryStatus | None, Query()] = None,
) -> dict[str, object]:
    """List what was sent and is to be sent, newest first; kept for 30 days after its end."""
    found = await webhooks.list_deliveries(
        call.services.db, page, webhook_id, user_id=call.user.id, status=status
    )
    items = [DeliveryAnswer.model_validate(d) for d in found.items]
    return {"deliveries": items, "pagination": Pagination.of(page, found.total)}


@router.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    response_model=DeliveryWithBody,
    responses=problem(WebhookNotFound, DeliveryNotFound),
)
async def get_webhook_delivery(webhook_id: UUID, delivery_id: UUID, call: Call) -> Delivery:
    """Get a delivery with its body and its attempts."""
    return await webhooks.get_delivery(
        call.services.db, webhook_id, delivery_id, user_id=call.user.id
    )


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    response_model=DeliveryWithBody,
    status_code=202,
    responses=problem(WebhookNotFound, DeliveryNotFound, WebhookDisabled),
)
async def redeliver_webhook(webhook_id: UUID, delivery_id: UUID, call: Call) -> Delivery:
    """Send a message again now, with the same id; what was given up begins from the start."""
    return await webhooks.redeliver(
        call.services.db, call.services.clock, webhook_id, delivery_id, user_id=call.user.id
    )


def _with_secret(webhook: Webhook, response: Response) -> WebhookWithSecret:
    response.headers["Cache-Control"] = "no-store"
    shown = WebhookAnswer.model_validate(webhook)
    return WebhookWithSecret(**shown.model_dump(), secret=secret_text(webhook.secret))
