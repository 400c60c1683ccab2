"""`renum notifications`."""

from typing import Annotated

import typer

from renum.cli.context import call, told
from renum.cli.exits import BadInput, print_error
from renum.cli.output import Json, echo, local_time, print_json, print_table
from renum.client import AsyncClient

notifications = typer.Typer(no_args_is_help=True, help="What happened while you were away.")


@notifications.command("list")
def list_notifications(
    ctx: typer.Context,
    unread: Annotated[bool, typer.Option("--unread", help="Only what you have not read.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: Json = False,
) -> None:
    """List notifications, newest first; `*` marks what you have not read."""

    async def work(client: AsyncClient) -> None:
        page = await client.notifications.list(unread=unread or None, limit=limit)
        if as_json:
            print_json(page)
        elif page.notifications:
            rows = [
                ("" if n.read else "*", local_time(n.created_at), n.title, n.message, n.id)
                for n in page.notifications
            ]
            print_table(("NEW", "WHEN", "TITLE", "MESSAGE", "ID"), rows)
        else:
            print_error("There are no such notifications.")

    call(ctx, work, as_json=as_json)


@notifications.command("read")
def mark_read(
    ctx: typer.Context,
    notification_id: Annotated[str | None, typer.Argument(metavar="NOTIFICATION_ID")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: Json = False,
) -> None:
    """Mark one notification as read, or all."""
    with told(as_json=as_json):
        if everything is (notification_id is not None):
            raise BadInput("give a notification's id, or --all")

    async def work(client: AsyncClient) -> None:
        if notification_id is None:
            marked = await client.notifications.mark_all_read()
            if as_json:
                print_json(marked)
            else:
                echo(f"Marked {marked.marked} as read.")
            return
        read = await client.notifications.mark_read(notification_id)
        if as_json:
            print_json(read)
        else:
            echo(f"Marked {read.id} as read.")

    call(ctx, work, as_json=as_json)
