"""`renum agents`."""

from typing import Annotated

import typer

from renum.cli.context import call
from renum.cli.exits import print_error
from renum.cli.output import Json, print_json, print_table
from renum.client import AsyncClient


def agents(
    ctx: typer.Context,
    search: Annotated[str | None, typer.Option(help="Part of the name or description.")] = None,
    as_json: Json = False,
) -> None:
    """The agents that teams can be made of."""

    async def work(client: AsyncClient) -> None:
        found = [agent async for agent in client.agents.all(search=search)]
        if as_json:
            print_json({"agents": found})
        elif found:
            print_table(
                ("NAME", "DESCRIPTION", "ID"), [(a.name, a.description, a.id) for a in found]
            )
        else:
            print_error("There is no such agent." if search else "There are no agents.")

    call(ctx, work, as_json=as_json)
