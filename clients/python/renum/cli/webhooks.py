"""`renum webhooks`."""

from typing import Annotated

import typer

from renum.cli.context import call
from renum.cli.exits import print_error
from renum.cli.output import Json, echo, local_time, print_json, print_table
from renum.client import AsyncClient
from renum.resources.webhooks import Delivery, Webhook, WebhookWithSecret

webhooks = typer.Typer(
    no_args_is_help=True, help="Addresses of yours that are told when runs have ended."
)
WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK_ID")]
DeliveryId = Annotated[str, typer.Argument(metavar="DELIVERY_ID")]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        help="execution.completed, execution.failed or execution.cancelled; repeatable.",
    ),
]


@webhooks.command("list")
def list_webhooks(ctx: typer.Context, as_json: Json = False) -> None:
    """List your webhooks, newest first, without their secrets."""

    async def work(client: AsyncClient) -> None:
        found = [webhook async for webhook in client.webhooks.all()]
        if as_json:
            print_json({"webhooks": found})
        elif found:
            rows = [(w.url, _state(w), ", ".join(w.events), w.description, w.id) for w in found]
            print_table(("URL", "STATE", "TOLD OF", "DESCRIPTION", "ID"), rows)
        else:
            print_error("There are no webhooks: make one with `renum webhooks create URL`.")

    call(ctx, work, as_json=as_json)


@webhooks.command("create")
def create_webhook(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="Where messages are sent.")],
    event: Events = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: Json = False,
) -> None:
    """Make a webhook; without --event it is told of all kinds. Its secret is shown once: on
    stdout, alone, so that a script can keep it."""

    async def work(client: AsyncClient) -> None:
        made = await client.webhooks.create(url, description=description, events=event)
        _show_secret(made, as_json=as_json)

    call(ctx, work, as_json=as_json)


@webhooks.command("update")
def update_webhook(
    ctx: typer.Context,
    webhook_id: WebhookId,
    url: Annotated[str | None, typer.Option(help="Where messages are sent.")] = None,
    event: Events = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    as_json: Json = False,
) -> None:
    """Change what is given, and leave the rest. --enable also forgets past failures."""

    async def work(client: AsyncClient) -> None:
        changed = await client.webhooks.update(
            webhook_id, url=url, description=description, events=event, enabled=enabled
        )
        if as_json:
            print_json(changed)
        else:
            echo(f"{changed.url} is {_state(changed)}, told of {', '.join(changed.events)}.")

    call(ctx, work, as_json=as_json)


@webhooks.command("delete")
def delete_webhook(ctx: typer.Context, webhook_id: WebhookId, as_json: Json = False) -> None:
    """Delete a webhook, and what was still to be sent to it."""

    async def work(client: AsyncClient) -> None:
        await client.webhooks.delete(webhook_id)
        if as_json:
            print_json({"id": webhook_id, "deleted": True})
        else:
            echo(f"Deleted {webhook_id}.")

    call(ctx, work, as_json=as_json)


@webhooks.command("rotate-secret")
def rotate_secret(ctx: typer.Context, webhook_id: WebhookId, as_json: Json = False) -> None:
    """Make a new secret, shown once on stdout; the one before signs too, for 24 hours."""

    async def work(client: AsyncClient) -> None:
        _show_secret(await client.webhooks.rotate_secret(webhook_id), as_json=as_json)

    call(ctx, work, as_json=as_json)


@webhooks.command("test")
def send_test(ctx: typer.Context, webhook_id: WebhookId, as_json: Json = False) -> None:
    """Send a message that means nothing; `deliveries` shows how it went."""

    async def work(client: AsyncClient) -> None:
        _show_sent(await client.webhooks.test(webhook_id), as_json=as_json)

    call(ctx, work, as_json=as_json)


@webhooks.command("deliveries")
def list_deliveries(
    ctx: typer.Context,
    webhook_id: WebhookId,
    status: Annotated[
        str | None, typer.Option(help="Only pending, delivered or failed ones.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: Json = False,
) -> None:
    """List what was and will be sent to a webhook, newest first."""

    async def work(client: AsyncClient) -> None:
        page = await client.webhooks.deliveries(webhook_id, status=status, limit=limit)
        if as_json:
            print_json(page)
        elif page.deliveries:
            rows = [
                (local_time(d.created_at), d.type, d.status, _last_answer(d), d.id)
                for d in page.deliveries
            ]
            print_table(("WHEN", "MESSAGE", "STATUS", "LAST ANSWER", "ID"), rows)
        else:
            print_error("There are no such deliveries.")

    call(ctx, work, as_json=as_json)


@webhooks.command("redeliver")
def redeliver(
    ctx: typer.Context, webhook_id: WebhookId, delivery_id: DeliveryId, as_json: Json = False
) -> None:
    """Send the same message again, now."""

    async def work(client: AsyncClient) -> None:
        _show_sent(await client.webhooks.redeliver(webhook_id, delivery_id), as_json=as_json)

    call(ctx, work, as_json=as_json)


def _show_secret(webhook: WebhookWithSecret, *, as_json: bool) -> None:
    if as_json:
        print_json(webhook)
        return
    print_error(f"The webhook is {webhook.id}. Keep its secret, it is not shown again:")
    echo(webhook.secret)


def _show_sent(delivery: Delivery, *, as_json: bool) -> None:
    if as_json:
        print_json(delivery)
        return
    echo(delivery.id)
    print_error(f"It is on its way: `renum webhooks deliveries {delivery.webhook_id}`.")


def _state(webhook: Webhook) -> str:
    if not webhook.enabled:
        return f"disabled ({webhook.disabled_reason})" if webhook.disabled_reason else "disabled"
    since = local_time(webhook.failing_since)
    return f"failing since {since}" if since else "enabled"


def _last_answer(delivery: Delivery) -> str:
    """Of its latest attempt, and when the next one is due."""
    last = delivery.attempts[-1] if delivery.attempts else None
    told = (last.error or str(last.status_code)) if last else ""
    due = local_time(delivery.next_attempt_at)
    return f"{told}; again at {due}" if last and due else told
