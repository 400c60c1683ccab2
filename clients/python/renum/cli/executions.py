"""`renum executions`."""

from typing import Annotated

import typer

from renum.cli.context import call
from renum.cli.exits import print_error
from renum.cli.lookup import find_team
from renum.cli.output import Json, console, echo, print_json, print_table
from renum.cli.results import print_results
from renum.cli.screen import screen
from renum.client import AsyncClient
from renum.models import Execution
from renum.progress import RunProgress

executions = typer.Typer(no_args_is_help=True, help="Runs of your teams.")
ExecutionId = Annotated[str, typer.Argument(metavar="EXECUTION_ID")]


@executions.command("list")
def list_executions(
    ctx: typer.Context,
    team: Annotated[str | None, typer.Option(help="Only this team's: id or exact name.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only these; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""

    async def work(client: AsyncClient) -> None:
        team_id = None if team is None else (await find_team(client, team)).id
        page = await client.executions.list(team_id=team_id, status=status, limit=limit)
        if as_json:
            print_json(page)
        elif page.executions:
            rows = [(_when(e), e.status, e.team_name, e.execution_id) for e in page.executions]
            print_table(("STARTED", "STATUS", "TEAM", "ID"), rows)
        else:
            print_error("There are no such runs.")

    call(ctx, work, as_json=as_json)


@executions.command("show")
def show_execution(ctx: typer.Context, execution_id: ExecutionId, as_json: Json = False) -> None:
    """Show where a run stands, and what its agents wrote."""

    async def work(client: AsyncClient) -> None:
        execution = await client.executions.get(execution_id)
        if as_json:
            print_json(execution)
            return
        progress = RunProgress(execution_id)
        progress.take_snapshot(execution)
        out = console()
        out.print(screen(progress, out, None), soft_wrap=not out.is_terminal)
        print_results(execution, progress, None)

    call(ctx, work, as_json=as_json)


@executions.command("cancel")
def cancel_execution(ctx: typer.Context, execution_id: ExecutionId, as_json: Json = False) -> None:
    """Cancel a run."""

    async def work(client: AsyncClient) -> None:
        cancelled = await client.executions.cancel(execution_id)
        if as_json:
            print_json(cancelled)
        else:
            echo(f"Cancelled {cancelled.execution_id}.")

    call(ctx, work, as_json=as_json)


def _when(execution: Execution) -> str:
    """In the time of this place."""
    begun = execution.started_at
    return "" if begun is None else begun.astimezone().strftime("%Y-%m-%d %H:%M:%S")
