"""`renum teams`."""

from typing import Annotated

import typer

from renum.cli.context import call, told
from renum.cli.exits import print_error
from renum.cli.files import read_team
from renum.cli.lookup import fill_agents
from renum.cli.output import Json, echo, print_json, print_table
from renum.cli.text import clean
from renum.client import AsyncClient

teams = typer.Typer(no_args_is_help=True, help="Your teams.")


@teams.command("list")
def list_teams(
    ctx: typer.Context,
    search: Annotated[str | None, typer.Option(help="Part of the name or description.")] = None,
    as_json: Json = False,
) -> None:
    """List your teams."""

    async def work(client: AsyncClient) -> None:
        found = [team async for team in client.teams.all(search=search)]
        if as_json:
            print_json({"teams": found})
        elif found:
            rows = [(t.name, t.workflow_type, t.agents_count, t.status, t.id) for t in found]
            print_table(("NAME", "WORKFLOW", "AGENTS", "STATUS", "ID"), rows)
        else:
            print_error("There are no teams: make one with `renum teams create -f team.yaml`.")

    call(ctx, work, as_json=as_json)


@teams.command("create")
def create_team(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Option("--file", "-f", help="The team in YAML or JSON; `-` is stdin.")
    ],
    as_json: Json = False,
) -> None:
    """
    Make a team from a file.

    Agents are given by `agent_id`, or by `agent` with their exact name.
    """
    with told(as_json=as_json):
        spec = read_team(file)

    async def work(client: AsyncClient) -> None:
        team = await client.teams.create(await fill_agents(client, spec))
        if as_json:
            print_json(team)
        else:
            echo(f"Created {clean(team.name)} with {len(team.agents)} agents: {team.id}")

    call(ctx, work, as_json=as_json)
