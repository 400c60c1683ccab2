"""`renum executions`."""

from typing import Annotated

import typer

from renum.cli.context import call
from renum.cli.exits import print_error
from renum.cli.lookup import find_team
from renum.cli.output import Json, console, echo, local_time, print_json, print_table
from renum.cli.results import print_results
from renum.cli.screen import screen
from renum.cli.text import duration, one_line
from renum.client import AsyncClient
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
            rows = [
                (local_time(e.started_at), e.status, e.team_name, e.execution_id)
                for e in page.executions
            ]
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


@executions.command("logs")
def show_logs(
    ctx: typer.Context,
    execution_id: ExecutionId,
    after: Annotated[int, typer.Option(min=0, help="Only lines after this number.")] = 0,
    as_json: Json = False,
) -> None:
    """Print the log of a run, oldest line first."""

    async def work(client: AsyncClient) -> None:
        lines = [line async for line in client.executions.all_logs(execution_id, after=after)]
        if as_json:
            print_json({"logs": lines})
            return
        for line in lines:
            echo(f"{local_time(line.timestamp)}  {line.level:<7}  {one_line(line.message)}")

    call(ctx, work, as_json=as_json)


@executions.command("explain")
def explain_execution(ctx: typer.Context, execution_id: ExecutionId, as_json: Json = False) -> None:
    """Say what a run waits for, and what happens next."""

    async def work(client: AsyncClient) -> None:
        told = await client.executions.explain(execution_id)
        if as_json:
            print_json(told)
            return
        echo(f"{told.status}: {one_line(told.summary)}")
        for wait in told.waits:
            who = f"{one_line(wait.agent_name)}: " if wait.agent_name else ""
            since = f" (since {local_time(wait.since)})" if wait.since else ""
            echo(f"  {who}{one_line(wait.detail)}{since}")
        if told.next:
            when = f" ({local_time(told.next_at)})" if told.next_at else ""
            echo(f"Next: {one_line(told.next)}{when}")

    call(ctx, work, as_json=as_json)


@executions.command("timeline")
def show_timeline(ctx: typer.Context, execution_id: ExecutionId, as_json: Json = False) -> None:
    """Show where the time of a run went, and which agents made it as long as it was."""

    async def work(client: AsyncClient) -> None:
        told = await client.executions.timeline(execution_id)
        if as_json:
            print_json(told)
            return
        rows = [
            (
                agent.agent_name,
                agent.status,
                agent.attempts,
                *(_took(ms) for ms in (agent.waiting_ms, agent.running_ms, agent.backoff_ms)),
                "critical" if agent.key in told.critical_path else "",
            )
            for agent in told.agents
        ]
        print_table(("AGENT", "STATUS", "ATTEMPTS", "WAITED", "RAN", "BACKOFF", "PATH"), rows)
        queued = f", {_took(told.queued_ms)} in the queue before" if told.queued_ms else ""
        print_error(f"{told.status}: {_took(told.duration_ms)}{queued}")

    call(ctx, work, as_json=as_json)


def _took(ms: int) -> str:
    return duration(ms / 1000)


@executions.command("retry")
def retry_execution(ctx: typer.Context, execution_id: ExecutionId, as_json: Json = False) -> None:
    """Run again what a failed or cancelled run did not finish, as a new run."""

    async def work(client: AsyncClient) -> None:
        execution = await client.executions.retry(execution_id)
        if as_json:
            print_json(execution)
            return
        echo(execution.execution_id)
        print_error(f"  Watch it:  renum watch {execution.execution_id}")

    call(ctx, work, as_json=as_json)
