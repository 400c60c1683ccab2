"""`renum conformance`."""

from typing import Annotated

import typer

from renum.cli.context import Settings, call
from renum.cli.exits import Exit, print_error
from renum.cli.output import Json, echo, print_json
from renum.cli.text import clean
from renum.client import AsyncClient
from renum.conformance import Check, Options, Report
from renum.http import normal_url


def conformance(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Argument(help="The server; else that of `--url`.")] = None,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to watch.")] = 20.0,
    cuts: Annotated[
        int, typer.Option(min=0, max=1000, help="Connections that each watcher cuts.")
    ] = 20,
    seed: Annotated[int, typer.Option(help="Of the random points at which they are cut.")] = 1,
    run: Annotated[
        bool, typer.Option("--run", help="Also run the team: costs what one agent costs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """
    Examine a server's event stream: nothing lost, nothing twice, in order.

    Makes a team of its own, changes it while several watchers follow and cut their connections,
    compares what they were told, and deletes the team.
    """
    if url is not None:
        try:
            ctx.obj = Settings(normal_url(url))
        except ValueError as error:
            print_error(f"renum: {error}")
            raise typer.Exit(Exit.USAGE) from None
    options = Options(seconds=seconds, cuts=cuts, seed=seed, run=run)

    async def work(client: AsyncClient) -> Report:
        return await client.conformance(options)

    report = call(ctx, work, as_json=as_json)
    if as_json:
        print_json(_as_json(report))
    else:
        _print(report)
    if not report.conforms:
        raise typer.Exit(Exit.FAILED)


def _print(report: Report) -> None:
    for check in report.checks:
        echo(f"{_mark(check):<8} {clean(check.name)}")
        for problem in check.problems:
            echo(f"         {clean(problem)}")
    echo(f"{report.events} events over {report.connections} connections")
    echo("The stream conforms." if report.conforms else "The stream does NOT conform.")


def _mark(check: Check) -> str:
    if check.skipped:
        return check.skipped if len(check.skipped) < 8 else "skipped"
    return "kept" if check.kept else "BROKEN"


def _as_json(report: Report) -> dict[str, object]:
    return {
        "conforms": report.conforms,
        "events": report.events,
        "connections": report.connections,
        "checks": [
            {"name": c.name, "kept": c.kept, "problems": list(c.problems), "skipped": c.skipped}
            for c in report.checks
        ],
    }
