"""`renum api-keys`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from renum.cli.context import call
from renum.cli.exits import print_error
from renum.cli.output import Json, echo, local_time, print_json, print_table
from renum.client import AsyncClient

api_keys = typer.Typer(no_args_is_help=True, help="Keys that let machines act in your name.")


@api_keys.command("list")
def list_api_keys(ctx: typer.Context, as_json: Json = False) -> None:
    """List your keys, without their secrets."""

    async def work(client: AsyncClient) -> None:
        found = [key async for key in client.api_keys.all()]
        if as_json:
            print_json({"api_keys": found})
        elif found:
            rows = [
                (
                    key.name, key.prefix, ", ".join(key.scopes),
                    local_time(key.expires_at) or "never",
                    local_time(key.last_used_at) or "never", key.id,
                )
                for key in found
            ]  # fmt: skip
            print_table(("NAME", "BEGINS", "MAY", "ENDS", "USED", "ID"), rows)
        else:
            print_error("There are no keys: make one with `renum api-keys create NAME`.")

    call(ctx, work, as_json=as_json)


@api_keys.command("create")
def create_api_key(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, execute or manage; repeatable. Default: read.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="How long it is valid. Default: for ever.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once: on stdout, alone, so that a script can keep it."""
    ends = None if days is None else datetime.now(UTC) + timedelta(days=days)

    async def work(client: AsyncClient) -> None:
        key = await client.api_keys.create(name, scope or ["read"], expires_at=ends)
        if as_json:
            print_json(key)
        else:
            print_error("Keep this key, it is not shown again. Use it as RENUM_API_KEY:")
            echo(key.key)

    call(ctx, work, as_json=as_json)


@api_keys.command("delete")
def delete_api_key(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID")],
    as_json: Json = False,
) -> None:
    """Delete a key: it opens nothing from now on."""

    async def work(client: AsyncClient) -> None:
        await client.api_keys.delete(key_id)
        if as_json:
            print_json({"id": key_id, "deleted": True})
        else:
            echo(f"Deleted {key_id}.")

    call(ctx, work, as_json=as_json)
