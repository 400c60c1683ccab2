"""What is printed when a run has ended."""

from rich.markdown import Markdown
from rich.rule import Rule

from renum.cli.exits import print_error
from renum.cli.output import console, echo
from renum.cli.text import clean, duration, one_line
from renum.models import AgentResult, Execution, Team
from renum.progress import RunProgress


def print_results(execution: Execution, progress: RunProgress, team: Team | None) -> None:
    """The final texts: drawn on a terminal, as they are in a pipe."""
    names = {agent.key: agent.name for agent in progress.agents.values()}
    results = final_results(execution, team)
    out = console()
    for result in results:
        name = one_line(names.get(result.key or "", ""))
        if out.is_terminal:
            out.print()
            out.print(Rule(name))
            out.print(Markdown(clean(result.output or "")))
            if result is results[-1]:
                out.print()
            continue
        if len(results) > 1:
            echo(f"--- {name} ---\n")
        echo((result.output or "").rstrip("\n"))
        if result is not results[-1]:
            echo("")


def final_results(execution: Execution, team: Team | None) -> list[AgentResult]:
    """
    The results that the run is about: the end of a pipeline, the coordinator's where there is
    one, else all. Without the team nobody knows: all.
    """
    written = [result for result in execution.results if result.output]
    if team is None:
        return written
    if team.workflow_type == "pipeline":
        return written[-1:]
    joining = {agent.key for agent in team.agents if agent.role == "coordinator"}
    return [result for result in written if result.key in joining] or written


def print_summary(execution: Execution, progress: RunProgress) -> None:
    """One line, on stderr: stdout has the texts alone."""
    done = sum(result.status == "completed" for result in execution.results)
    line = f"{execution.status} in {duration(progress.elapsed_s())}"
    line += f", {done} of {len(execution.results)} agents completed"
    if execution.error_message:
        code = f" ({execution.error_code})" if execution.error_code else ""
        line += f": {one_line(execution.error_message)}{code}"
    print_error(f"{line}. Execution {execution.execution_id}")
