"""What a team would do, printed."""

from renum.cli.output import echo, print_table
from renum.cli.text import one_line
from renum.models import Plan


def print_plan(plan: Plan) -> None:
    """One line per step; steps of one stage may run side by side."""
    rows = [
        (step.stage, step.key, step.agent_name, step.input_source, ", ".join(step.needs) or "-")
        for step in plan.steps
    ]
    print_table(("STAGE", "KEY", "AGENT", "GIVEN", "AFTER"), rows)
    for step in plan.steps:
        if step.input_error is not None:
            echo(f"{step.key}: its template fails: {one_line(step.input_error)}")
    if not plan.starts_now:
        echo("It would wait for a free slot.")
