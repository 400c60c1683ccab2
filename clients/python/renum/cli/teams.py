"""`renum teams`."""

from typing import Annotated

import typer

from renum.cli.apply import apply_teams
from renum.cli.asking import confirm
from renum.cli.context import call, told
from renum.cli.editor import edited
from renum.cli.exits import BadInput, print_error
from renum.cli.files import parse_teams, read_context, read_team, read_teams, read_text, write_teams
from renum.cli.lookup import fill_agents, find_team
from renum.cli.output import Json, echo, print_json, print_table
from renum.cli.plans import print_plan
from renum.cli.text import clean, one_line
from renum.client import AsyncClient
from renum.models import Team
from renum.teamfile import as_file, body

teams = typer.Typer(no_args_is_help=True, help="Your teams.")
TeamName = Annotated[str, typer.Argument(metavar="TEAM", help="The team's id or exact name.")]
TeamFile = Annotated[
    str, typer.Option("--file", "-f", help="YAML or JSON; `-` is stdin.", metavar="FILE")
]


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


@teams.command("show")
def show_team(ctx: typer.Context, team: TeamName, as_json: Json = False) -> None:
    """Show a team and its agents."""

    async def work(client: AsyncClient) -> None:
        found = await find_team(client, team)
        if as_json:
            print_json(found)
            return
        echo(f"{one_line(found.name)}  {found.workflow_type}, {found.status}")
        if found.description:
            echo(clean(found.description))
        echo(f"{found.id}, version {found.version}")
        rows = [
            (a.order, a.key, a.role, a.agent_details and a.agent_details.name, a.agent_id)
            for a in found.agents
        ]
        print_table(("ORDER", "KEY", "ROLE", "AGENT", "ID"), rows)

    call(ctx, work, as_json=as_json)


@teams.command("create")
def create_team(ctx: typer.Context, file: TeamFile, as_json: Json = False) -> None:
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


@teams.command("validate")
def validate_team(ctx: typer.Context, file: TeamFile, as_json: Json = False) -> None:
    """Let the server check a file, and show what each team would do. Nothing is stored."""
    with told(as_json=as_json):
        specs = read_teams(file)

    async def work(client: AsyncClient) -> None:
        plans = []
        for spec in specs:
            request = body(await fill_agents(client, spec))
            request.pop("status", None)
            plans.append((spec, await client.teams.validate(request)))
        if as_json:
            print_json({"plans": [plan for _, plan in plans]})
            return
        for spec, plan in plans:
            echo(f"{one_line(str(spec.get('name')))} is valid.")
            print_plan(plan)

    call(ctx, work, as_json=as_json)


@teams.command("plan")
def plan_team(
    ctx: typer.Context,
    team: TeamName,
    prompt: Annotated[str | None, typer.Argument(help="The task; `-` is stdin.")] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(help="key=text, or key:=json; repeatable.", metavar="KEY=VALUE"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a run would do, in which order and with which inputs. Nothing starts."""
    with told(as_json=as_json):
        task = read_text("-") if prompt == "-" else prompt
        given = read_context(context or [], None)
        if given is not None and task is None:
            raise BadInput("--context needs a prompt")

    async def work(client: AsyncClient) -> None:
        found = await find_team(client, team)
        plan = await client.teams.plan(found.id, task, context=given)
        if as_json:
            print_json(plan)
        else:
            print_plan(plan)

    call(ctx, work, as_json=as_json)


@teams.command("apply")
def apply(
    ctx: typer.Context,
    file: TeamFile,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """
    Make your teams what a file says: one team, or many as YAML documents.

    A team is found by its `id`, else by its name; one that is not there is made. With `version`
    a team that has changed since is refused. Applying the same file twice changes nothing.
    """
    with told(as_json=as_json):
        specs = read_teams(file)

    async def work(client: AsyncClient) -> None:
        await apply_teams(client, specs, dry_run=dry_run, as_json=as_json)

    call(ctx, work, as_json=as_json)


@teams.command("export")
def export(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[TEAM]...", help="Ids or exact names.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All your teams.")] = False,
    pin: Annotated[
        bool, typer.Option("--pin", help="With `id` and `version`: exactly these teams.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write teams as YAML, for `renum teams apply`."""
    with told(as_json=as_json):
        if everything is bool(names):
            raise BadInput("give teams, or --all")

    async def work(client: AsyncClient) -> None:
        if everything:
            found = [await client.teams.get(team.id) async for team in client.teams.all()]
        else:
            found = [await find_team(client, name) for name in names or []]
        written = [as_file(team, pinned=pin) for team in found]
        if as_json:
            print_json({"teams": written})
        else:
            echo(write_teams(written).rstrip("\n"))

    call(ctx, work, as_json=as_json)


@teams.command("edit")
def edit(ctx: typer.Context, team: TeamName, as_json: Json = False) -> None:
    """Change a team in your editor (VISUAL or EDITOR)."""

    async def read(client: AsyncClient) -> Team:
        return await find_team(client, team)

    found = call(ctx, read, as_json=as_json)
    with told(as_json=as_json):
        # Pinned: whatever others change while the editor is open is not overwritten.
        text = edited(write_teams([as_file(found, pinned=True)]), suffix=".yaml")
        specs = parse_teams(text, "what you wrote")

    async def work(client: AsyncClient) -> None:
        await apply_teams(client, specs, dry_run=False, as_json=as_json)

    call(ctx, work, as_json=as_json)


@teams.command("delete")
def delete(
    ctx: typer.Context,
    team: TeamName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a team. Its runs stay readable."""

    async def read(client: AsyncClient) -> Team:
        return await find_team(client, team)

    found = call(ctx, read, as_json=as_json)
    if not yes:
        with told(as_json=as_json):
            confirm(f"Delete {one_line(found.name)}?")

    async def work(client: AsyncClient) -> None:
        await client.teams.delete(found.id, version=found.version)
        if as_json:
            print_json({"id": found.id, "deleted": True})
        else:
            echo(f"Deleted {one_line(found.name)}.")

    call(ctx, work, as_json=as_json)
